// What the files of requests hold of each struct, said once for writing and reading:
// Members<T>::go calls `go_over` with the name and the place of each member.
#pragma once

#include "policy/approval/request.h"

namespace nohalt::policy {

template <class T>
struct Members;

template <>
struct Members<BootTime> {
  static void go(auto& go_over, auto& t) {
    go_over("ms", t.ms);
    go_over("id", t.boot_id);
  }
};

template <>
struct Members<Moment> {
  static void go(auto& go_over, auto& t) {
    go_over("wall_ns", t.wall_ns);
    go_over("boot", t.boot);
  }
};

template <>
struct Members<Person> {
  static void go(auto& go_over, auto& t) {
    go_over("uid", t.uid);
    go_over("login_uid", t.login_uid);
    go_over("name", t.name);
  }
};

template <>
struct Members<ProcessIdentity> {
  static void go(auto& go_over, auto& t) {
    go_over("pid", t.pid);
    go_over("start_time", t.start_time);
  }
};

template <>
struct Members<TargetFacts> {
  static void go(auto& go_over, auto& t) {
    go_over("identity", t.identity);
    go_over("uids", t.uids);
    go_over("gids", t.gids);
    go_over("exe_device", t.exe_device);
    go_over("exe_inode", t.exe_inode);
    go_over("exe", t.exe_path);
    go_over("build_id", t.build_id);
    go_over("is_own_mount_namespace", t.is_own_mount_namespace);
    go_over("cgroup", t.cgroup);
  }
};

template <>
struct Members<ShownProbe> {
  static void go(auto& go_over, auto& t) {
    go_over("kind", t.kind);
    go_over("location", t.location);
    go_over("message", t.message);
    go_over("condition", t.condition);
    go_over("captures", t.captures);
    go_over("hits", t.hits);
    go_over("stack", t.stack);
  }
};

template <>
struct Members<SourceUse> {
  static void go(auto& go_over, auto& t) {
    go_over("kind", t.kind);
    go_over("what", t.what);
    go_over("path", t.path);
    go_over("function", t.function);
  }
};

template <>
struct Members<Limits> {
  static void go(auto& go_over, auto& t) {
    go_over("hits_per_second", t.hits_per_second);
    go_over("bytes_per_second", t.bytes_per_second);
    go_over("lease_ms", t.lease);
    go_over("cpu_share", t.cpu_share);
    go_over("hold_us", t.hold);
    go_over("probes", t.probes);
    go_over("snapshot_bytes", t.snapshot_bytes);
  }
};

template <>
struct Members<BoundRequest> {
  static void go(auto& go_over, auto& t) {
    go_over("by", t.by);
    go_over("target", t.target);
    go_over("program_hash", t.program_hash);
    go_over("probes", t.probes);
    go_over("rights", t.rights);
    go_over("uses", t.uses);
    go_over("granted", t.granted);
    go_over("reason", t.reason);
    go_over("ticket", t.ticket);
    go_over("rule", t.rule);
    go_over("needed", t.needed);
    go_over("policy_hash", t.policy_hash);
  }
};

template <>
struct Members<ApprovalRequest> {
  static void go(auto& go_over, auto& t) {
    go_over("id", t.id);
    go_over("made", t.made);
    go_over("host", t.host);
    go_over("waits", t.waits);
    go_over("digest", t.digest);
    go_over("bound", t.bound);
  }
};

template <>
struct Members<Approval> {
  static void go(auto& go_over, auto& t) {
    go_over("by", t.by);
    go_over("given", t.given);
    go_over("reason", t.reason);
    go_over("digest", t.digest);
  }
};

template <>
struct Members<Closing> {
  static void go(auto& go_over, auto& t) {
    go_over("state", t.state);
    go_over("by", t.by);
    go_over("at", t.at);
    go_over("reason", t.reason);
  }
};

}  // namespace nohalt::policy
