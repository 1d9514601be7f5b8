// Keys and kinds, from the inside out.
#include "policy/file/cases_shape.h"

#include "policy/file/policy_shape.h"

namespace nohalt::policy {

namespace {

struct Shapes {
  Shape version = number_shape(1, 1);
  Shape any_text = text_shape("[^\\x00]+", "A text belongs here.");
  Shape yes_no = truth_shape();
  Shape count = number_shape(1, 1000);
  Shape approvals = number_shape(0, 16);
  Shape rate = number_shape(1, 100'000'000);
  Shape kind = word_shape({"code", "variable", "type"});
  Shape verdict = word_shape({"allow", "deny", "approval"});
  Shape stage = word_shape({"admit", "decide"});
  Shape seen = map_shape({{"kind", &kind, true, ""},
                          {"path", &any_text, false, ""},
                          {"function", &any_text, false, ""}});
  Shape all_seen = list_shape(&seen);
  Shape who = map_shape({{"user", &principal_shape(), true, ""},
                         {"login", &principal_shape(), false, ""},
                         {"groups", &principals_shape(), false, ""}});
  Shape process = map_shape({{"exe", &any_text, false, ""},
                             {"run_as", &principals_shape(), false, ""},
                             {"build_id", &any_text, false, ""},
                             {"env", &labels_shape(), false, ""},
                             {"cgroup", &any_text, false, ""},
                             {"container", &any_text, false, ""},
                             {"elsewhere", &yes_no, false, ""}});
  Shape amounts = map_shape({{"probes", &count, false, ""},
                             {"hits_per_second", &rate, false, ""},
                             {"bytes_per_second", &any_text, false, ""},
                             {"lease", &any_text, false, ""},
                             {"cpu", &any_text, false, ""},
                             {"hold", &any_text, false, ""}});
  Shape others = map_shape({{"target", &totals_shape(), false, ""},
                            {"user", &totals_shape(), false, ""},
                            {"host", &totals_shape(), false, ""}});
  Shape one =
      map_shape({{"name", &any_text, true, ""},       {"who", &who, true, ""},
                 {"process", &process, true, ""},     {"may", &rights_shape(), false, ""},
                 {"source", &any_text, false, ""},    {"function", &any_text, false, ""},
                 {"sees", &all_seen, false, ""},      {"reason", &any_text, false, ""},
                 {"ticket", &any_text, false, ""},    {"approvals", &approvals, false, ""},
                 {"break_glass", &yes_no, false, ""}, {"at", &instant_shape(), false, ""},
                 {"ask", &amounts, false, ""},        {"others", &others, false, ""},
                 {"stage", &stage, false, ""},        {"accounts_unreachable", &yes_no, false, ""},
                 {"expect", &verdict, true, ""},      {"rule", &any_text, false, ""},
                 {"because", &any_text, false, ""},   {"granted", &amounts, false, ""}});
  Shape list = list_shape(&one);
  Shape file = map_shape({{"version", &version, true, ""},
                          {"policy", &any_text, true, "The policy file, beside this one."},
                          {"cases", &list, true, ""}});
};

}  // namespace

const Shape& cases_shape() {
  static const Shapes all;
  return all.file;
}

}  // namespace nohalt::policy
