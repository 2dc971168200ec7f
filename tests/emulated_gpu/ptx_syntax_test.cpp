// PTX as nvcc writes it, in small pieces, and what must be refused.
#include "tests/emulated_gpu/ptx_syntax.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <thread>

namespace detbench::emulated::ptx {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = Operand::Kind;

std::shared_ptr<Module> module_of(const std::string& text) { return Module::parse(".version 9.0\n.target sm_90\n.address_size 64\n" + text); }

/// The function `f` with this body, from line 5 on.
std::string kernel(const std::string& body) { return ".visible .entry f(.param .u64 f_param_0)\n{\n" + body + "\n}\n"; }

std::string refusal(const std::string& text) {
  try {
    const auto module = module_of(text);
    module->function("f");
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

const Function& body_of(const std::shared_ptr<Module>& module) {
  const Function* function = module->function("f");
  if (function == nullptr) throw std::runtime_error("no function f");
  return *function;
}

template <class T>
std::vector<T> values_of(const std::vector<std::byte>& bytes) {
  std::vector<T> result(bytes.size() / sizeof(T));
  std::memcpy(result.data(), bytes.data(), result.size() * sizeof(T));
  return result;
}

TEST(PtxSyntax, ReadsAKernelsHead) {
  const auto module = module_of(R"(
// a comment with { and "
.entry f(
	.param .align 8 .b8 f_param_0[24],
	.param .u64 .ptr .global .align 16 f_param_1,
	.param .u8 f_param_2
)
.maxntid 32, 4, 2
.minnctapersm 2
{ ret; }
.visible .entry g() { }
)");
  const Function& f = body_of(module);
  EXPECT_TRUE(f.is_entry);
  EXPECT_EQ(f.max_threads, 256u);
  ASSERT_EQ(f.parameters.size(), 3u);
  EXPECT_EQ(f.parameters[0].elements, 24u);
  EXPECT_EQ(f.parameters[0].alignment, 8u);
  EXPECT_EQ(f.parameters[0].type, "b8");
  EXPECT_EQ(f.parameters[1].name, "f_param_1");
  EXPECT_EQ(f.parameters[1].alignment, 0u) << "16 is of what the pointer points at";
  EXPECT_EQ(f.parameters[2].type, "u8");
  ASSERT_NE(module->function("g"), nullptr);
  EXPECT_THAT(module->function("g")->body, IsEmpty());
  EXPECT_EQ(module->function("h"), nullptr);
}

TEST(PtxSyntax, ReadsModuleVariables) {
  const auto module = module_of(R"(
.shared .align 4 .b8 warps[128];
.extern .shared .align 16 .b8 dynamic[];
.global .align 8 .u64 count;
.const .align 4 .f32 table[4] = {0f3F800000, 0f40000000, 0f80000000};
.global .align 2 .u16 grid[2][2] = {{1}, {2, 3}};
.global .s32 least = -5;
.global .b8 bytes[3] = {255, 0x10, -1};
.global .v2 .f32 pair;
)");
  const auto& variables = module->variables();
  ASSERT_EQ(variables.size(), 8u);
  EXPECT_EQ(variables[0].space, "shared");
  EXPECT_EQ(variables[0].elements, 128u);
  EXPECT_FALSE(variables[0].external);
  EXPECT_EQ(variables[1].elements, 0u);
  EXPECT_TRUE(variables[1].external);
  EXPECT_EQ(variables[1].alignment, 16u);
  EXPECT_EQ(variables[2].type, "u64");
  EXPECT_THAT(variables[2].initial, IsEmpty());
  EXPECT_THAT(values_of<float>(variables[3].initial), ElementsAre(1.0f, 2.0f, -0.0f, 0.0f));
  EXPECT_THAT(values_of<std::uint16_t>(variables[4].initial), ElementsAre(1, 0, 2, 3));
  EXPECT_EQ(variables[4].elements, 4u);
  EXPECT_THAT(values_of<std::int32_t>(variables[5].initial), ElementsAre(-5));
  EXPECT_THAT(values_of<std::uint8_t>(variables[6].initial), ElementsAre(255, 16, 255));
  EXPECT_EQ(variables[7].elements, 2u);
  EXPECT_EQ(variables[7].alignment, 8u);
}

TEST(PtxSyntax, ReadsOperandsAsWritten) {
  const Function f = body_of(module_of(".global .u32 total;\n" + kernel(R"(
	.reg .pred 	%p<4>;
	.reg .b32 	%r<6>;
	.reg .f32 %f1, %f2;
	.reg .b64 %rd<3>;
	.local .align 8 .b8 	__local_depot0[16];
	.shared .align 4 .b8 tile[64];
	ld.param.u64 	%rd1, [f_param_0];
	mov.u32 	%r1, %ctaid.x;
	mov.f32 %f1, 0f3F800000;
	add.s32 %r2, %r1, -3;
	and.b32 %r2, %r2, 0xff;
	mov.u64 %rd2, total+8;
	ld.global.nc.v4.u32 {%r1, %r2, %r3, _}, [%rd1+-16];
	setp.lt.and.s32 %p1|%p2, %r1, 0, !%p3;
	shfl.sync.down.b32 	%r1|%p1, %r2, 16, 31, -1;
	st.shared.u32 [tile+4], %r1;
	@!%p1 bra.uni $L__BB0_2;
	ld.global.L1::no_allocate.L2::128B.u32 %r1, [1024];
$L__BB0_2:
	bar.sync 0; ret;)")));
  EXPECT_EQ(f.registers.size(), 15u);
  EXPECT_EQ(f.registers.at("%p3"), "pred");
  EXPECT_EQ(f.registers.at("%rd2"), "b64");
  EXPECT_FALSE(f.registers.contains("%rd3"));
  ASSERT_EQ(f.variables.size(), 2u);
  EXPECT_EQ(f.variables[0].space, "local");
  ASSERT_EQ(f.body.size(), 14u);
  EXPECT_THAT(f.body[0].opcode, ElementsAre("ld", "param", "u64"));
  EXPECT_EQ(f.body[0].operands[1].kind, Kind::address);
  EXPECT_EQ(f.body[0].operands[1].name, "f_param_0");
  EXPECT_EQ(f.body[1].operands[1].kind, Kind::special);
  EXPECT_EQ(f.body[1].operands[1].name, "%ctaid.x");
  EXPECT_TRUE(f.body[2].operands[1].is_float);
  EXPECT_EQ(f.body[2].operands[1].bits, 0x3F800000u);
  EXPECT_EQ(f.body[3].operands[2].bits, ~std::uint64_t{2});
  EXPECT_EQ(f.body[4].operands[2].bits, 255u);
  EXPECT_EQ(f.body[5].operands[1].name, "total");
  EXPECT_EQ(f.body[5].operands[1].offset, 8);
  ASSERT_EQ(f.body[6].operands[0].parts.size(), 4u);
  EXPECT_EQ(f.body[6].operands[0].parts[2].name, "%r3");
  EXPECT_EQ(f.body[6].operands[0].parts[3].kind, Kind::sink);
  EXPECT_EQ(f.body[6].operands[1].offset, -16);
  EXPECT_EQ(f.body[7].operands[0].second, "%p2");
  EXPECT_TRUE(f.body[7].operands[3].negated);
  EXPECT_EQ(f.body[8].operands[4].bits, ~std::uint64_t{0});
  EXPECT_EQ(f.body[9].operands[0].offset, 4);
  EXPECT_EQ(f.body[10].predicate, "%p1");
  EXPECT_TRUE(f.body[10].predicate_negated);
  EXPECT_EQ(f.body[10].operands[0].name, "$L__BB0_2");
  EXPECT_THAT(f.body[11].opcode, ElementsAre("ld", "global", "L1::no_allocate", "L2::128B", "u32"));
  EXPECT_EQ(f.body[11].operands[1].bits, 1024u);
  EXPECT_EQ(f.labels.at("$L__BB0_2"), 12u);
  EXPECT_EQ(f.body[13].line, 27);
}

TEST(PtxSyntax, GivesNamesWithinBracesNamesOfTheirOwn) {
  const Function f = body_of(module_of(kernel(R"(
	.reg .b32 %r<3>;
	.reg .pred p;
	{  .reg .u32 lo; .reg .pred p; add.u32 lo, %r1, %r2; @p mov.b32 %r1, lo; { .reg .u64 lo; mov.u64 lo, 1; } mov.b32 %r2, lo; bra DONE; DONE: }
	{  .reg .f32 lo; mov.f32 lo, 0f00000000; bra DONE; DONE: }
	@p ret;
	bra DONE;
DONE:)")));
  const std::string first = f.body[0].operands[0].name, inner = f.body[2].operands[0].name, other = f.body[5].operands[0].name;
  EXPECT_EQ(f.registers.at(first), "u32");
  EXPECT_EQ(f.registers.at(inner), "u64");
  EXPECT_EQ(f.registers.at(other), "f32");
  EXPECT_EQ(f.body[3].operands[1].name, first) << "the inner one is gone";
  EXPECT_NE(f.body[1].predicate, "p");
  EXPECT_EQ(f.body[7].predicate, "p");
  EXPECT_EQ(f.labels.at(f.body[4].operands[0].name), 5u);
  EXPECT_EQ(f.labels.at(f.body[6].operands[0].name), 7u);
  EXPECT_EQ(f.labels.at(f.body[8].operands[0].name), 9u);
}

TEST(PtxSyntax, ReadsCallsAndTheirParameters) {
  const auto module = module_of(R"(
.extern .func (.param .b32 func_retval0) vprintf(.param .b64 vprintf_param_0, .param .b64 vprintf_param_1);
.func (.param .b32 func_retval0) twice(.param .b32 twice_param_0) .noreturn;
.func (.param .b32 func_retval0) twice(.param .b32 twice_param_0)
{ .reg .b32 %r<2>; ld.param.u32 %r1, [twice_param_0]; add.s32 %r1, %r1, %r1; st.param.b32 [func_retval0+0], %r1; ret; }
)" + kernel(R"(
	.reg .b32 %r<3>;
	.reg .b64 %rd<2>;
	{ // callseq 0, 0
	.param .b32 param0;
	st.param.b32 	[param0+0], %r1;
	.param .b32 retval0;
	call.uni (retval0),
	twice,
	(
	param0
	);
	ld.param.b32 	%r2, [retval0+0];
	} // callseq 0
	{ .param .b32 param0; st.param.b32 [param0], %r2;
	prototype_1 : .callprototype ()_ (.param .b32 _);
	call %rd1, (param0), prototype_1; }
	call.uni twice;)"));
  const Function& f = body_of(module);
  ASSERT_EQ(f.body.size(), 6u);
  const auto& call = f.body[1].operands;
  ASSERT_EQ(call.size(), 3u);
  EXPECT_EQ(call[0].kind, Kind::vector);
  EXPECT_EQ(call[0].parts[0].name, f.body[2].operands[1].name);
  EXPECT_EQ(call[1].name, "twice");
  EXPECT_EQ(call[2].parts[0].name, f.body[0].operands[0].name);
  EXPECT_EQ(f.body[4].operands[1].name, "%rd1");
  ASSERT_EQ(f.body[4].operands.size(), 4u);
  EXPECT_EQ(f.body[4].operands[3].name, "prototype_1");
  EXPECT_NE(f.body[4].operands[2].parts[0].name, call[2].parts[0].name) << "param0 of another call";
  EXPECT_THAT(f.body[5].operands[0].parts, IsEmpty());
  EXPECT_THAT(f.body[5].operands[2].parts, IsEmpty());
  const Function* twice = module->function("twice");
  ASSERT_NE(twice, nullptr);
  EXPECT_FALSE(twice->is_entry);
  EXPECT_EQ(twice->results.size(), 1u);
  EXPECT_EQ(twice->body.size(), 4u);
  EXPECT_EQ(module->function("vprintf"), nullptr) << "only declared";
}

TEST(PtxSyntax, ReadsBranchTargets) {
  const Function f = body_of(module_of(kernel(R"(
	.reg .b32 %r<2>;
$L_brx_0: .branchtargets
	$L_1,
	$L_2;
	brx.idx %r1, $L_brx_0;
$L_1:
	ret;
$L_2:)")));
  EXPECT_THAT(f.branch_targets.at("$L_brx_0"), ElementsAre("$L_1", "$L_2"));
  EXPECT_EQ(f.body[0].operands[1].name, "$L_brx_0");
  EXPECT_EQ(f.labels.at("$L_2"), 2u);
}

TEST(PtxSyntax, PassesOverWhatSaysNothingToAMachine) {
  const Function f = body_of(module_of(".file 1 \"a {.cu\"\n.pragma \"x}\";\n.section .debug_str { .b8 1 }\n" +
                                       kernel("	.loc 1 7 3, function_name $L__info, inlined_at 1 2 3\n	.pragma \"nounroll\";\n	/* { */ ret;;") +
                                       ".section	.debug_info\n{\n.b32 5 }\n"));
  EXPECT_EQ(f.body.size(), 1u);
}

TEST(PtxSyntax, RefusesMalformedTextWithItsLine) {
  const auto refused = [](const std::string& body) { return refusal(kernel("	.reg .b32 %r<3>;\n	.reg .pred %p<2>;\n" + body)); };
  EXPECT_EQ(refused("	add.s32 %r1, %r2;"), "");
  EXPECT_EQ(refused("	add.s32 %r1, %r2"), "PTX line 9: ';' after 'add' and its operands expected, not '}'");
  EXPECT_THAT(refused("	add.s32 %r1, %r3, %r2;"), HasSubstr("PTX line 8: nothing named '%r3' is declared"));
  EXPECT_THAT(refused("	bra.uni $L_1;\n"), HasSubstr("PTX line 8: there is no label '$L_1'"));
  EXPECT_THAT(refused("X:\n	ret;\nX:\n"), HasSubstr("PTX line 10: the label 'X' is there twice"));
  EXPECT_THAT(refused("	@%r9 ret;"), HasSubstr("there is no register '%r9'"));
  EXPECT_THAT(refused("	ld.u32 %r1, [%r2+;"), HasSubstr("a number expected, not ';'"));
  EXPECT_THAT(refused("	mov.b32 %r1, {%r2 %r1};"), HasSubstr("'}' after a vector expected"));
  EXPECT_THAT(refused("	mov.f32 %r1, 0f3F80;"), HasSubstr("'0f3F80' is no float"));
  EXPECT_THAT(refused("	mov.b32 %r1, 12ab;"), HasSubstr("'12ab' is no number"));
  EXPECT_THAT(refused("	mov.b64 %r1, 18446744073709551616;"), HasSubstr("at most 64 bits"));
  EXPECT_THAT(refused("	.reg .b32 %r<2>;"), HasSubstr("'%r0' is declared twice"));
  EXPECT_THAT(refused("	.reg .texref t;"), HasSubstr("'.texref'"));
  EXPECT_THAT(refused("	.banana 5;"), HasSubstr("'.banana'"));
  EXPECT_THAT(refused("	.local .align 3 .b8 a[4];"), HasSubstr("alignment 3"));
  EXPECT_THAT(refused("	{ ret;"), HasSubstr("'{' without its '}'"));
  EXPECT_THAT(refused("	/* ret;"), HasSubstr("comment without an end"));
  EXPECT_THAT(refused("	.pragma \"nounroll;"), HasSubstr("closing"));
}

TEST(PtxSyntax, RefusesMalformedModules) {
  EXPECT_THROW(Module::parse(""), std::runtime_error);
  EXPECT_THROW(Module::parse("ELF"), std::runtime_error);
  EXPECT_THAT(refusal(".entry f(.param .u64 a, ) { }"), HasSubstr("'.param' expected"));
  EXPECT_THAT(refusal(".entry f() { ret; } .entry f() { }"), HasSubstr("defined twice"));
  EXPECT_THAT(refusal(".global .u32 a; .global .u32 a;"), HasSubstr("declared twice"));
  EXPECT_THAT(refusal(".global .u64 a;\n.global .u64 b = a;"), HasSubstr("PTX line 5: the address of a symbol"));
  EXPECT_THAT(refusal(".global .b8 a[2] = {1, 2, 3};"), HasSubstr("more initial values"));
  EXPECT_THAT(refusal(".global .b8 a = 256;"), HasSubstr("too large"));
  EXPECT_THAT(refusal(".global .b8 a[];"), HasSubstr("no length"));
  EXPECT_THAT(refusal(".global .attribute(.managed) .u32 a;"), HasSubstr("'.attribute'"));
  EXPECT_THAT(refusal(".alias a, b;"), HasSubstr("'.alias'"));
}

TEST(PtxSyntax, ReadsABodyOnceWhateverTheThread) {
  const auto module = module_of(kernel("	ret;"));
  std::vector<const Function*> seen(4);
  std::vector<std::thread> threads;
  for (auto& place : seen) threads.emplace_back([&] { place = module->function("f"); });
  for (auto& thread : threads) thread.join();
  for (const Function* function : seen) {
    EXPECT_EQ(function, seen[0]);
    EXPECT_EQ(function->body.size(), 1u);
  }
}

TEST(PtxSyntax, KnowsTheSizesOfTypes) {
  EXPECT_EQ(size_of_type("b8"), 1u);
  EXPECT_EQ(size_of_type("bf16"), 2u);
  EXPECT_EQ(size_of_type("f16x2"), 4u);
  EXPECT_EQ(size_of_type("s64"), 8u);
  EXPECT_EQ(size_of_type("b128"), 16u);
  EXPECT_EQ(size_of_type("pred"), 0u);
  EXPECT_EQ(size_of_type("f8"), 0u);
}

}  // namespace
}  // namespace detbench::emulated::ptx
