// Types as the DWARF describes them.
#include <gtest/gtest.h>

#include "tests/unit/symbols/programs.h"

namespace nohalt::symbols {
namespace {

constexpr const char* kSource = R"(
typedef unsigned int word;
struct list { struct list *next; int grid[2][3]; };
struct packed { word low : 3; int mid : 7; char after; union { long whole; char part[8]; }; int tail[]; };
enum shade { kLight = 1, kDark = -2 };
struct opaque;
struct list head; struct packed all; enum shade shade; struct opaque *hidden;
const char *const names[4]; int (*callback)(const char *, double);
int main(void) { return head.grid[0][0] + (int)all.low + shade + (hidden != 0) + (names[0] != 0) + (callback != 0); }
)";

class Types : public testing::TestWithParam<Build> {
 protected:
  void SetUp() override {
    info_ = opened("t.c", kSource, GetParam());
    ASSERT_NE(info_, nullptr);
    pc_ = sites_of(*info_, "main").front().pc;
  }
  [[nodiscard]] const Type* global(std::string_view name) const {
    const auto variable = info_->find_global(name, pc_);
    return variable && *variable ? (*variable)->type : nullptr;
  }
  std::unique_ptr<DebugInfo> info_;
  LinkAddress pc_;
};

TEST_P(Types, bitfields_count_from_the_lowest_bit_of_the_object) {
  const Type* type = info_->find_type("struct packed", pc_);
  ASSERT_NE(type, nullptr);
  ASSERT_GE(type->members.size(), 5U);
  EXPECT_EQ(type->members[0].bit_offset, 0U);
  EXPECT_EQ(type->members[0].bit_size, 3U);
  EXPECT_EQ(type->members[1].bit_offset, 3U);
  EXPECT_EQ(type->members[1].bit_size, 7U);
  EXPECT_FALSE(type->members[2].bit_offset.has_value());
  EXPECT_EQ(type->members[2].byte_offset, 2U);
}

TEST_P(Types, anonymous_members_and_flexible_arrays_are_kept) {
  const Type* type = info_->find_type("struct packed", pc_);
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(type->members[3].name, "");
  EXPECT_EQ(type->members[3].type->kind, TypeKind::kUnion);
  EXPECT_EQ(type->members[4].type->kind, TypeKind::kArray);
  EXPECT_FALSE(type->members[4].type->element_count.has_value());
}

TEST(NumberTypes, that_are_stored_in_another_way_than_the_machines_are_not_taken_for_its_own) {
  const auto info = opened("t.c", R"(
struct __attribute__((scalar_storage_order("big-endian"))) wire { int word; char letter; };
struct wire wire; __float128 quad; long double extended;
int main(void) { return wire.word + (int)quad + (int)extended; }
)",
                           {.compiler = "gcc"});
  ASSERT_NE(info, nullptr);
  const LinkAddress pc = sites_of(*info, "main").front().pc;
  const auto kind_of = [&](const Type* type) { return strip_typedefs(type)->kind; };
  const Type* wire = info->find_type("struct wire", pc);
  ASSERT_NE(wire, nullptr);
  EXPECT_EQ(kind_of(wire->members.at(0).type), TypeKind::kUnknown);
  EXPECT_EQ(kind_of((*info->find_global("quad", pc))->type), TypeKind::kUnknown);
  EXPECT_EQ(kind_of((*info->find_global("extended", pc))->type), TypeKind::kFloat);
}

TEST_P(Types, arrays_nest_and_sizes_follow) {
  const Type* type = info_->find_type("struct list", pc_);
  ASSERT_NE(type, nullptr);
  const Type* grid = type->members[1].type;
  EXPECT_EQ(grid->element_count, 2U);
  EXPECT_EQ(grid->target->element_count, 3U);
  EXPECT_EQ(grid->byte_size, 24U);
  EXPECT_EQ(grid->name, "int [2][3]");
  EXPECT_EQ(type->members[0].type->target, type) << "a circle through a pointer";
}

TEST_P(Types, names_are_spelled_as_c_does) {
  EXPECT_EQ(global("hidden")->name, "struct opaque *");
  EXPECT_TRUE(global("hidden")->target->is_declaration);
  EXPECT_EQ(global("callback")->name, "int (*)(const char *, double)");
  EXPECT_EQ(strip_typedefs(global("names"))->element_count, 4U);
}

TEST_P(Types, enums_keep_negative_values) {
  const Type* type = info_->find_type("enum shade", pc_);
  ASSERT_NE(type, nullptr);
  EXPECT_TRUE(type->is_signed);
  ASSERT_EQ(type->enumerators.size(), 2U);
  EXPECT_EQ(type->enumerators[1].value, -2);
}

TEST_P(Types, casts_name_types_in_any_usual_spelling) {
  EXPECT_EQ(info_->find_type("struct list *", pc_)->target, info_->find_type("struct list", pc_));
  EXPECT_EQ(info_->find_type("word", pc_)->kind, TypeKind::kTypedef);
  EXPECT_EQ(info_->find_type("unsigned", pc_), info_->find_type("unsigned int", pc_));
  EXPECT_EQ(info_->find_type("struct absent", pc_), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Compilers, Types,
                         testing::Values(Build{"gcc", "-O0 -gdwarf-5"},
                                         Build{"gcc", "-O0 -gdwarf-3"},
                                         Build{"clang-19", "-O0 -gdwarf-5"},
                                         Build{"clang-19", "-O0 -gdwarf-4"}));

TEST(TypesAcrossUnits, a_declaration_is_completed_by_the_definition_of_another_unit) {
  const std::string folder = scratch_folder() + "/units";
  ASSERT_TRUE(shell("mkdir -p " + folder + " && cd " + folder +
                    " && echo 'struct thing { int a; long b; }; struct thing one;"
                    " struct thing *get(void) { return &one; }' > x.c"
                    " && echo 'struct thing; struct thing *get(void); int main(void) {"
                    " struct thing *t = get(); return t == 0; }' > y.c"
                    " && gcc -g y.c x.c -o program"));
  const auto info = DebugInfo::open(folder + "/program", "program", {});
  ASSERT_TRUE(info.has_value());
  const LinkAddress pc = sites_of(**info, "main").front().pc;
  const Result<std::vector<Variable>> variables = (*info)->variables_at(pc);
  const Type* thing = named(*variables, "t")->type->target;
  EXPECT_FALSE(thing->is_declaration);
  EXPECT_EQ(thing->byte_size, 16U);
  EXPECT_EQ(thing->members.size(), 2U);
}

TEST(TypesOfClasses, bases_come_first_and_names_are_qualified) {
  constexpr const char* kClasses = R"(
namespace shop {
struct Base { virtual ~Base() = default; int id = 1; };
template <class T> struct Box : Base { T held; static int count; };
}
int main() { shop::Box<long> box; box.held = 3; return (int)box.held + box.id; }
)";
  const auto info = opened("b.cpp", kClasses, {.compiler = "g++", .flags = "-O0 -gdwarf-5"});
  const LinkAddress pc = sites_of(*info, "main").front().pc;
  const Type* box = info->find_type("shop::Box<long int>", pc);
  ASSERT_NE(box, nullptr);
  EXPECT_EQ(box->name, "shop::Box<long int>");
  ASSERT_FALSE(box->members.empty());
  EXPECT_TRUE(box->members[0].is_base_class);
  EXPECT_EQ(box->members[0].type->name, "shop::Base");
}

TEST(LandingPads, a_function_that_catches_has_some_and_c_has_none) {
  constexpr const char* kThrows = R"(
int may_throw(int v) { if (v > 2) throw v; return v; }
int main(int argc, char **) { try { return may_throw(argc); } catch (int v) { return v; } }
)";
  const auto info = opened("e.cpp", kThrows, {.compiler = "g++", .flags = "-O0 -gdwarf-5"});
  const LineSite main_site = sites_of(*info, "main").front();
  const auto pads = info->landing_pads(main_site.function_range);
  ASSERT_TRUE(pads.has_value());
  EXPECT_FALSE(pads->empty());
  for (const LinkAddress pad : *pads) EXPECT_TRUE(main_site.function_range.contains(pad));
  const auto other = info->landing_pads(sites_of(*info, "may_throw").front().function_range);
  ASSERT_TRUE(other.has_value());
  EXPECT_TRUE(other->empty());
}

}  // namespace
}  // namespace nohalt::symbols
