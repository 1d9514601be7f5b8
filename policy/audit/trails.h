// All trails that a run writes to: those that the policies in force name, which nobody
// can turn away from, and the one that --audit adds. What is appended is durable in all
// of them when it returns; where one cannot be written nothing is armed.
//
// Errors and threading: as Trail.
#pragma once

#include <string>
#include <vector>

#include "policy/audit/trail.h"

namespace nohalt::policy {

// A trail as Trail::open takes it: empty for the usual one.
struct TrailName {
  std::string path;
  bool is_persons = false;  // somebody named it who may not be root behind sudo
};

class Trails {
 public:
  // The first is the one that is read. Two names of one path count once.
  [[nodiscard]] static Result<Trails> open(const Caller& caller,
                                           const std::vector<TrailName>& names,
                                           const TrailOptions& options = {});

  [[nodiscard]] Status append(const Event& event) const;
  // False: neither journald nor syslog took the alert.
  [[nodiscard]] Result<bool> append_alert(const Event& event) const;
  void keep_signed();
  void set_value_rules(const ValueRules& rules);

  [[nodiscard]] const Trail& first() const { return trails_.front(); }

 private:
  std::vector<Trail> trails_;
};

}  // namespace nohalt::policy
