// Objects behind pointers to their bases, captured from a real process: both libraries,
// both compilers, plain and optimised.
#include <gtest/gtest.h>
#include <sys/uio.h>

#include <regex>

#include "probes/capture/capture.h"
#include "probes/classes/dynamic_classes.h"
#include "probes/language/binder.h"
#include "probes/records/values/decode.h"
#include "probes/target/maps.h"
#include "tests/unit/capture/stopped_subject.h"

namespace nohalt::classes {
namespace {

using test::StoppedSubject;
using values::Value;

struct Build {
  const char* name;
  const char* path;
};
constexpr Build kBuilds[] = {
    {"gcc_plain", CLASSES_GCC_O0},       {"gcc_optimised", CLASSES_GCC_O2},
    {"gcc_fixed", CLASSES_GCC_FIXED},    {"clang_plain", CLASSES_CLANG_O0},
    {"libcxx_plain", CLASSES_LIBCXX_O0}, {"libcxx_optimised", CLASSES_LIBCXX_O2}};

stacks::UnwindImages images_of(int pid) {
  auto maps = target::read_maps(pid);
  EXPECT_TRUE(maps);
  return {maps ? *maps : target::Maps(), {.process_folder = "/proc/" + std::to_string(pid)}};
}

class ClassesTest : public testing::TestWithParam<Build> {
 protected:
  ClassesTest()
      : stopped_(GetParam().path, CLASSES_SOURCE, "classes"),
        images_(images_of(stopped_.pid())),
        vtables_(images_),
        dynamic_(stopped_.debug(), vtables_, [this](RuntimeAddress from, std::span<std::byte> to) {
          iovec local{to.data(), to.size()};
          iovec remote{reinterpret_cast<void*>(from.value), to.size()};
          return process_vm_readv(stopped_.pid(), &local, 1, &remote, 1, 0) ==
                 static_cast<ssize_t>(to.size());
        }) {}
  void SetUp() override { ASSERT_TRUE(stopped_.ready()); }

  Value captured(const std::string& text, capture::Redaction hidden = {},
                 capture::CaptureLimits limits = {}) {
    const auto bound =
        language::bind_expression(text, stopped_.scope(), {.allow_unavailable = true});
    if (!bound) {
      ADD_FAILURE() << bound.error().message;
      return {};
    }
    capture::CaptureRequest request{{*bound}, nullptr, limits, stopped_.bias(), std::move(hidden)};
    request.dynamic_classes = [this](const symbols::Type* type) { return dynamic_.of(type); };
    built_ = capture::build_capture(request);
    if (!built_) {
      ADD_FAILURE() << text << ": " << built_.error().message;
      return {};
    }
    run_ = stopped_.run(built_->program);
    EXPECT_FALSE(run_.execution.violation) << text;
    return values::decode(built_->layout, run_.body, {})[0].value;
  }
  // Without addresses: those of vtables, and of what is pointed to.
  std::string shown(const std::string& text, capture::Redaction hidden = {},
                    capture::CaptureLimits limits = {}) {
    std::string all = values::to_text(captured(text, std::move(hidden), limits));
    all = std::regex_replace(all, std::regex("_vptr[.$][A-Za-z:_]+ = 0x[0-9a-f]+(, )?"), "");
    return std::regex_replace(all, std::regex("0x[0-9a-f]+ "), "");
  }
  void poke(std::uint64_t at, std::uint64_t value) {
    iovec local{&value, 8};
    iovec remote{reinterpret_cast<void*>(at), 8};
    ASSERT_EQ(process_vm_writev(stopped_.pid(), &local, 1, &remote, 1, 0), 8);
  }
  std::uint64_t peek(std::uint64_t at) {
    std::uint64_t value = 0;
    iovec local{&value, 8};
    iovec remote{reinterpret_cast<void*>(at), 8};
    EXPECT_EQ(process_vm_readv(stopped_.pid(), &local, 1, &remote, 1, 0), 8);
    return value;
  }
  std::uint64_t said(const std::string& name) { return std::stoull(stopped_.said().at(name)); }

  StoppedSubject stopped_;
  stacks::UnwindImages images_;
  Vtables vtables_;
  DynamicClasses dynamic_;
  StoppedSubject::Run run_;
  Result<capture::BuiltCapture> built_ = capture::BuiltCapture{};
};

INSTANTIATE_TEST_SUITE_P(Built, ClassesTest, testing::ValuesIn(kBuilds),
                         [](const auto& build) { return std::string(build.param.name); });

constexpr const char* kCircle =
    "Circle {Shape = {id = 7}, radius = 5, label = \"a circle with a long enough label\"}";
constexpr const char* kDisc =
    "Disc {Circle = {Shape = {id = 7}, radius = 5, label = \"a circle with a long enough label\"}, "
    "thickness = 2}";

TEST_P(ClassesTest, show_the_object_behind_a_pointer_to_its_base) {
  EXPECT_EQ(shown("circle"), kCircle);
  EXPECT_EQ(shown("disc"), kDisc);
  EXPECT_EQ(shown("*disc"), kDisc);
  EXPECT_EQ(shown("dog"), "Dog {Animal = {age = 3}, tail = 1}");
  EXPECT_EQ(shown("animal"), "{age = 3}");
}

TEST_P(ClassesTest, show_the_object_behind_a_reference_and_this) {
  EXPECT_EQ(shown("square"),
            "Square {Shape = {id = 7}, side = 4, password = \"hunter2-hunter2-hunter2\"}");
  EXPECT_EQ(shown("this"), "{Animal = {age = 3}, hours = 8}");
}

TEST_P(ClassesTest, begin_where_the_object_begins_and_not_where_it_is_pointed_to) {
  const Value named = captured("named");
  ASSERT_EQ(named.target.size(), 1U);
  EXPECT_EQ(named.target[0].type, "Badge");
  EXPECT_EQ(named.target[0].declared_type, "Named");
  EXPECT_GT(named.target[0].distance, 0U);
  EXPECT_EQ(shown("named"),
            "Badge {Circle = {Shape = {id = 7}, radius = 5, label = \"a circle with a long enough "
            "label\"}, Named = {tag = \"tagged\"}, number = 99}");
}

TEST_P(ClassesTest, are_shown_behind_owners_and_in_containers) {
  EXPECT_EQ(shown("holder.own"), std::string("-> ") + kDisc);
  EXPECT_EQ(shown("holder.none"), "(null)");
  EXPECT_EQ(shown("holder.plain"), "0x0");
  const std::string shared = shown("holder.shared");
  EXPECT_NE(shared.find("Square {Shape = {id = 7}, side = 4"), shared.npos) << shared;
  const std::string several = shown("holder.several");
  for (const char* each : {kCircle, "Box<int> {Shape = {id = 7}, held = 0}", "Box<",
                           "(anonymous namespace)::Unseen {Shape = {id = 7}, depth = 11}"})
    EXPECT_NE(several.find(each), several.npos) << each << " in " << several;
}

TEST_P(ClassesTest, are_what_their_pointer_says_behind_a_virtual_base) {
  EXPECT_EQ(shown("root"), "{root = 1}");
  const Value root = captured("root");
  const Vtable* table = vtables_.at({root.target.at(0).vtable_pointer});
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->symbol->class_name, "Diamond");
  const std::string right = shown("right");
  EXPECT_TRUE(right.starts_with("Diamond {Left = {")) << right;
  EXPECT_NE(right.find("left = 2"), right.npos) << right;
  EXPECT_TRUE(right.ends_with("right = 3}, last = 4}")) << right;
}

TEST_P(ClassesTest, are_what_they_are_while_they_are_made_or_after_they_are_gone) {
  poke(said("dog"), peek(said("animal")));
  EXPECT_EQ(shown("dog"), "{age = 3}");
}

TEST_P(ClassesTest, are_what_their_pointer_says_where_the_vtable_is_not_known) {
  const std::uint64_t known = peek(said("dog"));
  for (const std::uint64_t unknown : {std::uint64_t{0}, std::uint64_t{0x1234}, known + 8}) {
    poke(said("dog"), unknown);
    EXPECT_EQ(shown("dog"), "{age = 3}");
    EXPECT_EQ(captured("dog").target.at(0).vtable_pointer, unknown);
  }
}

TEST_P(ClassesTest, of_a_library_are_not_the_programs_of_the_same_name) {
  EXPECT_EQ(shown("dog"), "Dog {Animal = {age = 3}, tail = 1}");
  EXPECT_EQ(shown("holder.stray"), "{age = 3}");
  EXPECT_EQ(shown("holder.young"), "{age = 3}");
  const Vtable* table = vtables_.at({captured("holder.stray").target.at(0).vtable_pointer});
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->symbol->class_name, "Dog");
}

TEST_P(ClassesTest, never_copy_what_is_hidden_in_the_derived_class) {
  const auto by_name = [](std::string_view path, const symbols::Type&) {
    return path.find("password") != path.npos;
  };
  const auto by_type = [](std::string_view, const symbols::Type& type) {
    return type.name == "Square";
  };
  const auto has_secret = [this] {
    const std::string_view bytes(reinterpret_cast<const char*>(run_.body.data()), run_.body.size());
    return bytes.find("hunter2") != bytes.npos;
  };
  EXPECT_EQ(shown("square", by_name), "Square {Shape = {id = 7}, side = 4, password = <redacted>}");
  EXPECT_FALSE(has_secret());
  const std::string teller = shown("holder.teller", by_name);
  EXPECT_NE(teller.find("till = 6"), teller.npos) << teller;
  EXPECT_FALSE(has_secret());
  EXPECT_EQ(shown("square", by_type), "<redacted>");
  EXPECT_FALSE(has_secret());
  EXPECT_EQ(shown("holder.shared", by_type), "(use 1, weak 0) -> <redacted>");
  EXPECT_FALSE(has_secret());
}

TEST_P(ClassesTest, are_hidden_with_the_name_of_their_base) {
  const auto hides = [](std::string_view, const symbols::Type& type) {
    return type.name == "Circle";
  };
  EXPECT_EQ(shown("circle", hides), "<redacted>");
  EXPECT_EQ(shown("disc", hides), "Disc {Circle = <redacted>, thickness = 2}");
}

TEST_P(ClassesTest, of_the_library_tell_what_they_are_and_their_message) {
  const std::string error = shown("error");
  EXPECT_TRUE(error.starts_with("std::runtime_error {")) << error;
  EXPECT_NE(error.find("\"a text of an error, long enough for the heap\""), error.npos) << error;
  const std::string failure = shown("failure");
  EXPECT_TRUE(failure.starts_with("Failure {std::runtime_error = {")) << failure;
  EXPECT_NE(failure.find("\"it failed with a text of its own\""), failure.npos) << failure;
  EXPECT_TRUE(failure.ends_with("code = 42}")) << failure;
  // GCC describes none of these classes; what the symbol of its vtable says is all there is.
  const Value memory = captured("memory");
  const Vtable* table = vtables_.at({memory.vtable_pointer});
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->symbol->class_name, "std::bad_alloc");
  const std::string index = shown("index");
  EXPECT_NE(index.find("\"an index too large\""), index.npos) << index;
  EXPECT_NE(shown("holder.far").find("\"an index too far\""), std::string::npos);
  const Vtable* of_index = vtables_.at({captured("index").vtable_pointer});
  ASSERT_NE(of_index, nullptr);
  EXPECT_EQ(of_index->symbol->class_name, "std::out_of_range");
}

TEST_P(ClassesTest, share_the_room_of_one_among_all_that_an_object_may_be) {
  const auto one = captured("circle");
  std::printf("%s: %zu instructions, %u bytes for one object\n", GetParam().name,
              built_->program.code.size(), built_->layout.record_size);
  EXPECT_LT(built_->layout.record_size, 1024U);
  EXPECT_EQ(shown("holder", {}, {.pointers = 96, .record_bytes = 32 * 1024}).substr(0, 15),
            "{own = -> Disc ");
  std::printf("%s: %zu instructions, %u bytes for the holder\n", GetParam().name,
              built_->program.code.size(), built_->layout.record_size);
}

}  // namespace
}  // namespace nohalt::classes
