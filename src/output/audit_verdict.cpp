// Three statements, kept apart: what the chain shows, what the signatures, and what
// a checkpoint from elsewhere.
#include <fmt/format.h>

#include "src/base/escape.h"
#include "src/output/audit_forms.h"
#include "src/output/json.h"

namespace nohalt::output {

namespace {

std::string chain_text(const AuditVerdict& verdict) {
  const policy::ChainReport& chain = verdict.chain;
  if (!chain.is_whole())
    return fmt::format("BROKEN, at {} place{}:", chain.fault_count,
                       chain.fault_count == 1 ? "" : "s");
  if (chain.last_seq == 0) return "whole, and empty.";
  std::string text = fmt::format("whole: records {} to {}", chain.first_seq, chain.last_seq);
  if (verdict.files > 1) text += fmt::format(", in {} files", verdict.files);
  if (chain.skipped != 0) text += fmt::format("; {} of them by their hashes alone", chain.skipped);
  if (chain.torn_lines != 0)
    text += fmt::format("; {} half-written line(s), each vouched for by the record after it",
                        chain.torn_lines);
  if (chain.goes_on && verdict.ticket.empty()) text += "; it goes on from a file that is not here";
  return text + ".";
}

std::string signed_text(const AuditVerdict& verdict) {
  const policy::ChainReport& chain = verdict.chain;
  if (!chain.signature_faults.empty()) return "WRONG:";
  if (chain.signed_by.empty()) return "no record is signed.";
  std::string text = fmt::format("up to record {}, by ", chain.signed_up_to());
  for (const policy::SignedSpan& span : chain.signed_by) {
    if (&span != &chain.signed_by.front()) text += ", then ";
    text += "key " + span.key;
    if (span.key == verdict.own_key) text += " (the one that is here now)";
    if (chain.signed_by.size() > 1) text += fmt::format(" from {} to {}", span.first, span.last);
  }
  return text + ".";
}

std::string kept_text(const AuditVerdict& verdict) {
  const policy::ChainReport& chain = verdict.chain;
  if (!verdict.compared)
    return "not compared: --checkpoint FILE names one that was kept off the host. Without it "
           "nothing here holds against who may write the trail.";
  if (!chain.checkpoint_faults.empty()) return "DOES NOT AGREE:";
  if (chain.agreed_up_to == 0) return "NONE of those kept is of these records.";
  return fmt::format("agrees with one kept off the host, up to record {}.", chain.agreed_up_to);
}

void add(std::string& text, const char* name, const std::string& statement,
         const std::vector<std::string>& faults) {
  text += fmt::format("{:<12}{}\n", name, make_printable(statement));
  for (const std::string& fault : faults) text += "            " + make_printable(fault) + "\n";
}

}  // namespace

bool AuditVerdict::holds() const {
  return chain.is_whole() && chain.signature_faults.empty() && bundle_faults.empty() &&
         (!compared || (chain.checkpoint_faults.empty() && chain.agreed_up_to != 0));
}

std::string audit_verdict_text(const AuditVerdict& verdict) {
  std::string text;
  if (!verdict.sealed_by.empty() || !verdict.bundle_faults.empty())
    add(text, "bundle",
        verdict.bundle_faults.empty()
            ? "of " + verdict.ticket + ", as it was made; sealed by key " + verdict.sealed_by + "."
            : "NOT AS IT WAS MADE:",
        verdict.bundle_faults);
  add(text, "chain", chain_text(verdict), verdict.chain.faults);
  add(text, "signed", signed_text(verdict), verdict.chain.signature_faults);
  add(text, "checkpoint", kept_text(verdict), verdict.chain.checkpoint_faults);
  return text;
}

std::string audit_verdict_json(const AuditVerdict& verdict) {
  const policy::ChainReport& chain = verdict.chain;
  ObjectBuilder object;
  object.set("schema", 1);
  object.set("kind", "audit-verdict");
  object.text("file", verdict.path);
  object.set("holds", verdict.holds());
  Json links{{"whole", chain.is_whole()},
             {"first", chain.first_seq},
             {"last", chain.last_seq},
             {"torn_lines", chain.torn_lines}};
  if (chain.skipped != 0) links["by_hash_alone"] = chain.skipped;
  if (chain.goes_on) links["goes_on"] = true;
  if (!chain.faults.empty()) links["faults"] = chain.faults;
  object.set("chain", std::move(links));
  Json keys = Json::array();
  for (const policy::SignedSpan& span : chain.signed_by)
    keys.push_back({{"key", span.key}, {"first", span.first}, {"last", span.last}});
  Json signatures{{"up_to", chain.signed_up_to()}, {"by", std::move(keys)}};
  if (!chain.signature_faults.empty()) signatures["faults"] = chain.signature_faults;
  object.set("signed", std::move(signatures));
  if (verdict.compared) {
    Json kept{{"agrees_up_to", chain.agreed_up_to}};
    if (!chain.checkpoint_faults.empty()) kept["faults"] = chain.checkpoint_faults;
    object.set("checkpoint", std::move(kept));
  }
  object.text("ticket", verdict.ticket);
  object.text("sealed_by", verdict.sealed_by);
  object.texts("bundle_faults", verdict.bundle_faults);
  return json_line(object.finish());
}

}  // namespace nohalt::output
