// What rustc writes: enums with data, names of types, paths of functions.
#include <gtest/gtest.h>

#include "tests/unit/symbols/programs.h"

namespace nohalt::symbols {
namespace {

constexpr const char* kSource = R"(
pub mod shop {
    pub struct Item { pub price: u32 }
    impl Item {
        #[inline(never)]
        pub fn doubled(&self) -> u32 { self.price * 2 }
    }
    pub enum Shape { Nothing, Circle(f64), Rectangle { width: u32, height: u32 } }
    pub enum Only { One { value: u32 } }
    #[inline(never)]
    pub fn look(text: &str, items: &[u32], boxed: Option<Box<u32>>, letter: Option<char>,
                shape: &Shape, only: Only, small: Option<i8>) -> usize {
        let array = [1u32, 2, items.len() as u32];
        let unit = ();
        let wide = (items.len() as u128) << 100;
        let total = text.len() + items.len() + array[2] as usize + wide as usize;
        let more = boxed.is_some() as usize + letter.is_some() as usize + small.is_some() as usize;
        let kind = match shape { Shape::Circle(r) => *r as usize, _ => 0 };
        let Only::One { value } = only;
        let _ = unit;
        total + more + kind + value as usize // all are here
    }
}
fn main() {
    let item = shop::Item { price: 2 };
    println!("{} {}", item.doubled(),
             shop::look("a", &[1], Some(Box::new(1)), Some('x'), &shop::Shape::Nothing,
                        shop::Only::One { value: 1 }, None));
}
)";

class Rust : public testing::Test {
 protected:
  void SetUp() override {
    info_ = opened("t.rs", kSource, {"/usr/bin/rustc", "--edition 2021 -g"});
    ASSERT_NE(info_, nullptr);
    const auto variables = info_->variables_at(sites_of(*info_, "t.rs:21").front().pc);
    ASSERT_TRUE(variables.has_value());
    variables_ = *variables;
  }
  [[nodiscard]] const Type* type_of(std::string_view name) const {
    const Variable* variable = named(variables_, name);
    EXPECT_NE(variable, nullptr) << name;
    return variable == nullptr ? nullptr : strip_typedefs(variable->type);
  }
  [[nodiscard]] std::string active(std::string_view name, std::uint64_t discriminant) const {
    const Type* type = type_of(name);
    if (type != nullptr && type->kind == TypeKind::kPointer) type = type->target;
    const Member* member = type == nullptr ? nullptr : active_member(*type, discriminant);
    return member == nullptr ? "" : member->name;
  }
  std::unique_ptr<DebugInfo> info_;
  std::vector<Variable> variables_;
};

TEST_F(Rust, types_have_the_names_that_the_language_gives_them) {
  EXPECT_EQ(type_of("text")->name, "&str");
  EXPECT_EQ(type_of("items")->name, "&[u32]");
  EXPECT_EQ(type_of("array")->name, "[u32; 3]");
  EXPECT_EQ(type_of("shape")->name, "&t::shop::Shape");
  EXPECT_EQ(type_of("boxed")->name,
            "core::option::Option<alloc::boxed::Box<u32, alloc::alloc::Global>>");
  EXPECT_EQ(type_of("wide")->name, "u128");
}

TEST_F(Rust, an_enum_tells_which_variant_its_discriminant_stands_for) {
  const Type* shape = type_of("shape")->target;
  ASSERT_NE(shape->discriminated, nullptr);
  EXPECT_EQ(shape->kind, TypeKind::kUnion);
  EXPECT_EQ(shape->members.size(), 3U);
  EXPECT_EQ(active("shape", 0), "Nothing");
  EXPECT_EQ(active("shape", 2), "Rectangle");
  EXPECT_EQ(active("shape", 3), "");
}

TEST_F(Rust, a_value_that_a_field_has_to_spare_stands_for_another_variant) {
  EXPECT_EQ(active("boxed", 0), "None");
  EXPECT_EQ(active("boxed", 0x55550000), "Some");
  EXPECT_EQ(active("letter", 0x110000), "None");
  EXPECT_EQ(active("letter", 'x'), "Some");
  EXPECT_EQ(active("small", 1), "Some");
}

TEST_F(Rust, an_enum_of_one_variant_has_no_discriminant) {
  ASSERT_NE(type_of("only")->discriminated, nullptr);
  EXPECT_FALSE(type_of("only")->discriminated->discriminant.has_value());
  EXPECT_EQ(active("only", 7), "One");
}

TEST_F(Rust, the_unit_type_is_a_struct_of_nothing) {
  EXPECT_EQ(type_of("unit")->kind, TypeKind::kStruct);
  EXPECT_TRUE(type_of("unit")->members.empty());
}

TEST_F(Rust, functions_are_found_by_their_path) {
  EXPECT_EQ(sites_of(*info_, "shop::look").front().function, "t::shop::look");
  EXPECT_EQ(sites_of(*info_, "t::shop::Item::doubled").front().function, "t::shop::Item::doubled");
}

}  // namespace
}  // namespace nohalt::symbols
