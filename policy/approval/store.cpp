// Names of files are the only index. The order in which the files of a request come
// and go makes it safe: its .request comes first and is taken away first, so that
// without a .closing there is no request that had one.
#include "policy/approval/store.h"

#include <algorithm>
#include <random>
#include <string_view>

#include "policy/approval/codec.h"
#include "src/base/escape.h"

namespace nohalt::policy {

namespace {

constexpr std::string_view kRequest = ".request";
constexpr std::string_view kApproval = ".approval-";
constexpr std::string_view kClosing = ".closing";
constexpr std::chrono::hours kKept{24};

std::string name_of(const std::string& id, std::string_view suffix) {
  return id + std::string{suffix};
}

// A name that leads out of the folder is no id.
bool is_id(std::string_view id) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return !id.empty() && id.size() <= 32 && std::ranges::all_of(id, is_hex);
}

std::string id_of(const std::string& name) { return name.substr(0, name.find('.')); }

std::string some_hex() {
  std::random_device device;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int i = 0; i < 4; ++i)
    for (std::uint32_t part = device(), n = 0; n < 8; ++n, part >>= 4) text += kDigits[part & 15];
  return text;
}

std::unexpected<Error> no_such(const std::string& id) {
  return fail(ErrorCode::kUsage, "no-such-request",
              "There is no request " + escape_untrusted(id).text + ".",
              "nohalt requests lists those that you may see.");
}

std::unexpected<Error> ended(const KnownRequest& known) {
  return fail(ErrorCode::kDenied, "request-ended",
              "Request " + known.request.id + " is over: " + state_text(known) + ".",
              "Who asked may ask again.");
}

}  // namespace

std::string state_text(const KnownRequest& known) {
  const std::string state{state_name(known.state)};
  if (!known.closing) {
    if (known.state == RequestState::kWaiting) return "it waits";
    if (known.state == RequestState::kApproved) return "it is approved";
    return "it has expired";
  }
  if (known.state == RequestState::kExpired) return "it has expired";
  const std::string by = escape_untrusted(person_text(known.closing->by)).text;
  const std::string& reason = known.closing->reason;
  return "it was " + state + " by " + by +
         (reason.empty() ? "" : ": " + escape_untrusted(reason).text);
}

Status check_another(const ApprovalRequest& request, const Person& by) {
  if (is_surely_another(request.bound.by, by)) return {};
  return fail(ErrorCode::kDenied, "own-request",
              "Request " + request.id + " was made by " +
                  escape_untrusted(person_text(request.bound.by)).text +
                  ", and nothing shows that you are somebody else; nobody approves their own.",
              "Log in as yourself and use sudo: people are told apart by their logins.");
}

Result<RequestStore> RequestStore::open(StoreOptions options) {
  NOHALT_TRY(OnceFiles files, OnceFiles::open(options.folder, options.owner));
  return RequestStore(std::move(options), std::move(files));
}

Status RequestStore::add(const ApprovalRequest& request) const {
  if (!is_id(request.id)) return no_such(request.id);
  remove_old();
  NOHALT_TRY(const bool is_new, files_.put(name_of(request.id, kRequest), encode(request)));
  if (is_new) return {};
  return fail(ErrorCode::kDenied, "request-exists",
              "There is a request " + request.id + " already.", "Start again.");
}

Result<KnownRequest> RequestStore::read(const std::string& id,
                                        const std::vector<std::string>& names,
                                        std::vector<std::string>& damaged) const {
  NOHALT_TRY(const std::string content, files_.read(name_of(id, kRequest)));
  auto request = decode_request(content);
  if (!request || request->id != id) {
    damaged.push_back(name_of(id, kRequest));
    return no_such(id);
  }
  KnownRequest known{std::move(*request), RequestState::kWaiting, {}, {}};
  std::vector<Approval> approvals;
  for (const std::string& name : names) {
    if (!name.starts_with(name_of(id, kApproval))) continue;
    const auto text = files_.read(name);
    auto approval = text ? decode_approval(*text) : std::nullopt;
    if (approval)
      approvals.push_back(std::move(*approval));
    else
      damaged.push_back(name);
  }
  // Looked at last, and by its name: one that cannot be read still ends the request.
  if (files_.has(name_of(id, kClosing))) {
    const auto text = files_.read(name_of(id, kClosing));
    known.closing = text ? decode_closing(*text) : std::nullopt;
    if (!known.closing) {
      damaged.push_back(name_of(id, kClosing));
      known.closing.emplace();
    }
  }
  NOHALT_TRY(const Moment now, options_.clock());
  std::ranges::sort(approvals, {}, [](const Approval& one) { return one.given.boot.ms; });
  known.approvals = counting(known.request, approvals, known.closing ? known.closing->at : now);
  known.state = state_of(known.request, approvals, known.closing, now);
  return known;
}

Result<KnownRequest> RequestStore::find(const std::string& id) const {
  if (!is_id(id) || !files_.has(name_of(id, kRequest))) return no_such(id);
  NOHALT_TRY(const std::vector<std::string> names, files_.names());
  std::vector<std::string> damaged;
  return read(id, names, damaged);
}

Result<KnownRequests> RequestStore::list() const {
  NOHALT_TRY(const std::vector<std::string> names, files_.names());
  KnownRequests known;
  for (const std::string& name : names) {
    if (!name.ends_with(kRequest)) continue;
    const std::string id = id_of(name);
    const std::size_t before = known.damaged.size();
    auto one = name == name_of(id, kRequest) && is_id(id) ? read(id, names, known.damaged)
                                                          : Result<KnownRequest>(no_such(id));
    if (one)
      known.requests.push_back(std::move(*one));
    else if (known.damaged.size() == before && files_.has(name))
      known.damaged.push_back(name);
  }
  std::ranges::sort(known.requests, {},
                    [](const KnownRequest& one) { return one.request.made.wall_ns; });
  std::ranges::sort(known.damaged);
  return known;
}

Status RequestStore::approve(const KnownRequest& known, const Person& by,
                             const std::string& reason) const {
  const ApprovalRequest& request = known.request;
  NOHALT_CHECK(check_another(request, by));
  NOHALT_TRY(const KnownRequest current, find(request.id));
  if (current.state != RequestState::kWaiting && current.state != RequestState::kApproved)
    return ended(current);
  NOHALT_TRY(const Moment now, options_.clock());
  const Approval approval{by, now, reason, request.digest};
  NOHALT_TRY(const bool is_new,
             files_.put(name_of(request.id, kApproval) + some_hex(), encode(approval)));
  if (is_new) return {};
  return fail(ErrorCode::kInternal, "request-store-unusable",
              "Two approvals were given the same name.", "Approve again.");
}

Result<bool> RequestStore::close(const std::string& id, RequestState state, const Person& by,
                                 const std::string& reason) const {
  if (!is_id(id) || !files_.has(name_of(id, kRequest))) return no_such(id);
  NOHALT_TRY(const Moment now, options_.clock());
  return files_.put(name_of(id, kClosing), encode(Closing{state, by, now, reason}));
}

Result<Approved> RequestStore::claim(const std::string& id, const BoundRequest& now,
                                     const std::function<Status()>& note) const {
  NOHALT_TRY(const KnownRequest known, find(id));
  if (known.state == RequestState::kWaiting)
    return fail(ErrorCode::kDenied, "not-approved",
                "Request " + id + " has " + std::to_string(known.approvals.size()) + " of " +
                    std::to_string(known.request.bound.needed) + " approvals.",
                "Wait for the others; an approval counts for 15 minutes.");
  if (known.state != RequestState::kApproved) return ended(known);
  NOHALT_CHECK(check_unchanged(known.request, now));
  if (note) NOHALT_CHECK(note());
  NOHALT_TRY(const bool is_first, close(id, RequestState::kUsed, now.by, {}));
  if (is_first) return Approved(known.request, known.approvals);
  NOHALT_TRY(const KnownRequest over, find(id));
  return ended(over);
}

// Requests that ended yesterday or before the last boot, and those that are damaged, since
// nobody can end them; then what lost its request.
void RequestStore::remove_old() const {
  files_.remove_unfinished();
  const auto known = list();
  const auto now = options_.clock();
  if (!known || !now) return;
  for (const KnownRequest& one : known->requests) {
    const auto age = age_of(one.request.made, *now);
    const bool is_over =
        one.state != RequestState::kWaiting && one.state != RequestState::kApproved;
    if (is_over && (!age || *age > kKept)) files_.remove(name_of(one.request.id, kRequest));
  }
  for (const std::string& name : known->damaged)
    if (name.ends_with(kRequest) && files_.is_older(name, kKept)) files_.remove(name);
  const auto names = files_.names();
  if (!names) return;
  for (const std::string& name : *names)
    if (is_id(id_of(name)) && !files_.has(name_of(id_of(name), kRequest))) files_.remove(name);
}

}  // namespace nohalt::policy
