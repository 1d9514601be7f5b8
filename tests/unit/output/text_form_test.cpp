// The text form: a hit is one line, whatever the target puts into it.
#include <gtest/gtest.h>

#include "src/base/escape.h"
#include "src/output/forms.h"
#include "tests/unit/output/samples.h"

namespace nohalt::output {
namespace {

TEST(TextForm, AHitReadsLikeALogLine) {
  EXPECT_EQ(hit_text(sample_hit(), false),
            "1970-01-01T00:00:01.000000Z worker[4712] place orders.c:142  order 17  "
            "total=<optimized out: no location here>\n");
}

TEST(TextForm, ColourOnlyWhereAskedFor) {
  EXPECT_EQ(hit_text(sample_hit(), false).find('\x1b'), std::string::npos);
  EXPECT_NE(hit_text(sample_hit(), true).find('\x1b'), std::string::npos);
}

TEST(TextForm, HostileTextsStayOnTheirLineAndDriveNothing) {
  Hit hit = sample_hit();
  hit.thread = hit.function = hit.file = hit.message = kHostile;
  hit.values = {{kHostile, "t", "exact", "", std::string{'"'} + kHostile + '"', false, false},
                {kHostile, "t", "unreadable", kHostile, "", false, false}};
  Receipt receipt;
  receipt.left = {kHostile};
  receipt.probes = {{"p1", kHostile, {}}, {"p2", kHostile, {}}};
  for (const std::string& text :
       {hit_text(hit, false), notice_text({0, "r", kHostile, kHostile}, false)}) {
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    EXPECT_EQ(make_printable(text.substr(0, text.size() - 1)), text.substr(0, text.size() - 1));
  }
  EXPECT_EQ(receipt_text(receipt).find('\x1b'), std::string::npos);
  EXPECT_EQ(receipt_text(receipt).find("\n{"), std::string::npos);
}

TEST(TextForm, TheReceiptSaysWhatIsNotAsBefore) {
  Receipt receipt;
  receipt.outcome = "interrupted";
  receipt.text_restored = receipt.mappings_as_before = true;
  receipt.descriptors_as_before = receipt.threads_as_before = true;
  receipt.total.hits = 12;
  EXPECT_NE(receipt_text(receipt).find("hits     12 (0 matched"), std::string::npos)
      << receipt_text(receipt);
  EXPECT_NE(receipt_text(receipt).find("are as before"), std::string::npos);
  receipt.threads_as_before = false;
  EXPECT_NE(receipt_text(receipt).find("NOT shown to be as before: threads"), std::string::npos);
  EXPECT_EQ(receipt_text(receipt).find("unloaded"), std::string::npos);
  receipt.unloaded = {"/opt/liba\nb.so"};
  EXPECT_NE(receipt_text(receipt).find("unloaded /opt/liba\\nb.so, and what was in it went"),
            std::string::npos)
      << receipt_text(receipt);
  receipt.target_gone = true;
  EXPECT_NE(receipt_text(receipt).find("the process is gone"), std::string::npos);
}

}  // namespace
}  // namespace nohalt::output
