// In glibc it lies in the library's thread-local block, at its symbol's offset. How far from
// the thread pointer that block is, the loader decided at start, and wrote into words from
// which the library's own code takes it. The file says which words these are and what each
// is about, so that they prove one another: all give the same block, or none is believed.
// A program that is linked statically has errno in its own block.
#include "src/session/error_number.h"

#include <string.h>

#include <algorithm>
#include <string>

#include "probes/symbols/thread_symbol.h"
#include "probes/target/image.h"

namespace nohalt::session {

namespace {

using symbols::Op;
using symbols::OpKind;
using symbols::ThreadSymbol;

constexpr std::size_t kLeastWords = 2;
constexpr std::uint64_t kLargestDistance = std::uint64_t{1} << 32;

const symbols::Type& int_type() {
  static const symbols::Type type = [] {
    symbols::Type made;
    made.kind = symbols::TypeKind::kInteger;
    made.name = "int";
    made.byte_size = sizeof(int);
    made.is_signed = true;
    return made;
  }();
  return type;
}

symbols::Unavailable unknown(std::string why) {
  return {symbols::UnavailableWhy::kThreadLocal, std::move(why)};
}

bool is_c_library(const target::Image& image) {
  const std::string_view name = std::string_view(image.path).substr(image.path.rfind('/') + 1);
  return name.starts_with("libc.") || name.starts_with("libc-");
}

// How far below the thread pointer the block of a library begins; 0: nobody can tell.
std::uint64_t block_of(const target::Image& image, const ThreadSymbol& symbol,
                       const target::Memory& memory) {
  if (symbol.words.size() < kLeastWords) return 0;
  std::uint64_t block = 0;
  for (const ThreadSymbol::Word& word : symbol.words) {
    const auto value = memory.read_value<std::uint64_t>(image.bias.to_runtime(word.at));
    if (!value) return 0;
    const std::uint64_t distance = word.offset - *value;
    if (distance == 0 || distance > kLargestDistance) return 0;
    if (block != 0 && block != distance) return 0;
    block = distance;
  }
  return block;
}

symbols::Location place_of(const target::Process& process, const target::Maps& maps) {
  const std::string folder = "/proc/" + std::to_string(process.pid());
  const auto memory = target::Memory::open(process.pid());
  if (!memory) return unknown(memory.error().message);
  const auto images = target::Images::read(process.pid(), maps, *memory);
  if (!images) return unknown(images.error().message);
  std::optional<ThreadSymbol> symbol;
  std::uint64_t block = 0;
  if (images->all().size() == 1) {
    symbol = symbols::find_thread_symbol(folder + "/exe", "errno", sizeof(int));
    if (symbol) block = symbol->distance.value_or(0);
  } else if (const auto library = std::ranges::find_if(images->all(), is_c_library);
             library != images->all().end()) {
    symbol = symbols::find_thread_symbol(folder + "/root" + library->path, "errno", sizeof(int));
    if (symbol) block = block_of(*library, *symbol, *memory);
  }
  if (!symbol) return unknown("no symbol of its C library says where it is");
  if (block == 0) return unknown("where each thread has its own cannot be proven");
  return symbols::InMemory{
      .address = {Op{.kind = OpKind::kThreadPointer},
                  Op{.kind = OpKind::kConstant, .value = symbol->offset - block},
                  Op{.kind = OpKind::kPlus}}};
}

}  // namespace

symbols::Variable error_number_of(const target::Process& process, const target::Maps& maps) {
  symbols::Variable variable;
  variable.name = "errno";
  variable.kind = symbols::VariableKind::kGlobal;
  variable.is_artificial = true;  // no source that nohalt knows declares it
  variable.type = &int_type();
  variable.location = place_of(process, maps);
  return variable;
}

void name_error(values::Value& value) {
  if (value.kind != values::Value::Kind::kInteger) return;
  const char* name = ::strerrorname_np(static_cast<int>(value.bits));
  if (name != nullptr && value.bits != 0) value.symbol = name;
}

}  // namespace nohalt::session
