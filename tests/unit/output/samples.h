// A hit and a receipt as the tests of this folder use them.
#pragma once

#include "src/output/record.h"

namespace nohalt::output {

inline Origin sample_origin() {
  return {"4711-1", "h1", 4711, "/usr/bin/orders", "beef", "orders", "1.2", "inline"};
}

inline Hit sample_hit() {
  Hit hit;
  hit.wall_ns = 1'000'000'001;
  hit.seq = 3;
  hit.probe = "p1";
  hit.tid = 4712;
  hit.thread = "worker";
  hit.file = "/src/orders.c";
  hit.line = 142;
  hit.function = "place";
  hit.message = "order 17";
  hit.values = {{"id", "int", "exact", "", "17", false, true},
                {"total", "double", "optimized_out", "no location here", "", false, false}};
  hit.suppressed = 5;
  return hit;
}

// Texts as a hostile target would choose them.
inline constexpr const char* kHostile =
    "x\"}\n{\"kind\":\"receipt\"} \x1b[2J\x07\r \xe2\x80\xae \xe2\x80\xa8 \xc2\x9b";

}  // namespace nohalt::output
