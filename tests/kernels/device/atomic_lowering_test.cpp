#include "kernels/device/atomic_lowering.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace detbench {
namespace {

using ::testing::HasSubstr;

const AtomicLowering& only(const std::vector<AtomicLowering>& all) {
  EXPECT_EQ(all.size(), 1u);
  return all.at(0);
}

// Shortened from what nvcc 13.0 writes for compute_75; names are the probe's.
constexpr const char* ptx_75 = R"(.version 9.0
.target sm_75
.address_size 64
.visible .entry detbench_atomic_add_f32(
	.param .u64 .ptr .align 1 detbench_atomic_add_f32_param_0,
	.param .f32 detbench_atomic_add_f32_param_1
)
{
	cvta.to.global.u64 	%rd2, %rd1;
	atom.global.add.f32 	%f2, [%rd2], %f1;
	ret;
}
.visible .entry detbench_atomic_add_f16(
)
{
	// begin inline asm
	{ atom.add.noftz.f16 %rs1,[%rd1],%rs2; }
	ret;
}
.visible .entry detbench_atomic_add_f16x2(
)
{
	{ atom.add.noftz.f16x2 %r1,[%rd1],%r2; }
	ret;
}
.visible .entry detbench_atomic_add_bf16(
)
{
$L__BB4_1:
	setp.nan.f32 	%p2, %f1, %f1;
	@%p2 bra 	$L__BB4_3;
	bra.uni 	$L__BB4_4;
$L__BB4_3:
	mov.u16 	%rs12, 32767;
$L__BB4_4:
	atom.global.cas.b16 	%rs7, [%rd1], %rs12, %rs13;
	setp.ne.s16 	%p7, %rs7, %rs12;
	@%p7 bra 	$L__BB4_1;
	ret;
}
.visible .entry something_else(
)
{
	atom.global.add.f32 	%f2, [%rd2], %f1;
}
)";

TEST(AtomicLowering, ptxTellsInstructionsFromLoops) {
  const auto all = read_ptx(ptx_75);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(in_words(all[0]), "f32 on sm_75: native (ptx: atom.global.add.f32)");
  // ptxas makes a loop of this one, which PTX does not show: see aScalarHalfBecomesALoopInSass.
  EXPECT_EQ(in_words(all[1]), "f16 on sm_75: unknown (ptx: atom.add.noftz.f16)");
  EXPECT_EQ(in_words(all[2]), "f16x2 on sm_75: native (ptx: atom.add.noftz.f16x2)");
  EXPECT_EQ(in_words(all[3]), "bf16 on sm_75: compare-and-swap loop (ptx: atom.global.cas.b16)");
}

TEST(AtomicLowering, aSwapWithoutALoopIsUnknown) {
  EXPECT_EQ(only(read_ptx(".target sm_90\n.entry detbench_atomic_add_f32(\n$L1:\n bra $L2;\natom.global.cas.b32 %r1, [%rd1], %r2, %r3;\n$L2:\nret;\n")).lowering,
            Lowering::unknown);
  EXPECT_EQ(only(read_ptx(".target sm_90\n.entry detbench_atomic_add_f32(\nret;\n")).lowering, Lowering::unknown);
  EXPECT_TRUE(read_ptx("").empty());
}

// From a disassembly of what ptxas 13.0 makes of the same probe, encodings and padding cut.
constexpr const char* sass = R"(
	code for sm_75
		Function : detbench_atomic_add_bf16
        /*0200*/                   PRMT R11, R8.reuse, R5.reuse, R10 ;                             /* 0x000000050800d216 */
                                                                                                   /* 0x000fe20000000000 */
        /*0230*/                   ATOMG.E.CAS.STRONG.GPU PT, R12, [R2], R6, R11 ;                 /* 0x00000006020c73a9 */
        /*0250*/                   ISETP.NE.U32.AND P0, PT, R8, R13, PT ;
        /*0270*/               @P0 BRA 0x200 ;
        /*0350*/                   BRA 0x350;

	code for sm_90
		Function : detbench_atomic_add_bf16x2
        /*0040*/                   ATOM.E.ADD.BF16x2.RN.STRONG.GPU P0, RZ, desc[UR4][R2.64], R5 ;
        /*0050*/               @P0 EXIT ;
        /*00b0*/                   LDS R2, [UR4] ;
        /*00e0*/                   ATOMS.CAST.SPIN R3, [R4], R2, R3 ;
        /*0100*/              @!P0 BRA 0xb0 ;
        /*0170*/                   BRA 0x170;
		..........

		Function : detbench_atomic_add_f16
        /*00b0*/                   HADD2 R4, R5, UR4.H0_H0 ;
        /*00d0*/                   ATOM.E.CAS.STRONG.GPU PT, R4, [R2], R5, R7 ;
        /*00e0*/                   ISETP.NE.U32.AND P0, PT, R4, R5, PT ;
        /*0100*/               @P0 BRA 0xb0 ;
        /*0110*/                   EXIT ;
        /*0120*/                   BRA 0x120;
		..........

		Function : detbench_atomic_add_f32
        /*0040*/                   REDG.E.ADD.F32.FTZ.RN.STRONG.GPU desc[UR4][R2.64], R5 ;
        /*0050*/                   EXIT ;
        /*0060*/                   BRA 0x60;
		Function : _ZN8detbench9reduction15add_each_blockEv
        /*0040*/                   REDG.E.ADD.F32.FTZ.RN.STRONG.GPU desc[UR4][R2.64], R5 ;
)";

TEST(AtomicLowering, aScalarHalfBecomesALoopInSass) {
  const auto all = read_sass(sass);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(in_words(all[0]), "bf16 on sm_75: compare-and-swap loop (sass: ATOMG.E.CAS.STRONG.GPU)");
  EXPECT_EQ(in_words(all[1]), "bf16x2 on sm_90: native (sass: ATOM.E.ADD.BF16x2.RN.STRONG.GPU)");
  EXPECT_EQ(in_words(all[2]), "f16 on sm_90: compare-and-swap loop (sass: ATOM.E.CAS.STRONG.GPU)");
  EXPECT_EQ(in_words(all[3]), "f32 on sm_90: native (sass: REDG.E.ADD.F32.FTZ.RN.STRONG.GPU)");
}

// The endless branch behind every function's end is no loop around a swap.
TEST(AtomicLowering, aBranchToItselfIsNoLoop) {
  EXPECT_EQ(only(read_sass("code for sm_90\nFunction : detbench_atomic_add_f32\n/*0040*/ ATOMG.E.CAS.STRONG.GPU PT, R12, [R2], R6, R11 ;\n/*0050*/ EXIT ;\n/*0060*/ BRA 0x60;\n"))
                .lowering,
            Lowering::unknown);
}

TEST(AtomicLowering, assemblyOfX86) {
  const auto all = read_host_assembly(R"(detbench_atomic_add_f32:
.LFB2128:
	movl	(%rdi), %edx
.L2:
	addss	%xmm0, %xmm1
	lock cmpxchgl	%ecx, (%rdi)
	jne	.L3
	ret
.L3:
	movl	%eax, %edx
	jmp	.L2
	.size	detbench_atomic_add_f32, .-detbench_atomic_add_f32
detbench_atomic_add_i32:
	lock addl	%esi, (%rdi)
	ret
	.size	detbench_atomic_add_i32, .-detbench_atomic_add_i32
)");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(in_words(all[0]), "f32 on x86-64: compare-and-swap loop (object: lock cmpxchgl)");
  EXPECT_EQ(in_words(all[1]), "i32 on x86-64: native (object: lock addl)");
}

// As clang writes it for ARMv8.0 (exclusive pairs) and ARMv8.1 (large system extensions).
TEST(AtomicLowering, assemblyOfAarch64) {
  const auto pairs = read_host_assembly(R"(detbench_atomic_add_f32:                // @detbench_atomic_add_f32
	ldr	w8, [x0]
.LBB0_3:                                //   Parent Loop BB0_2 Depth=1
	ldxr	w8, [x0]
	b.ne	.LBB0_1
	stxr	w11, w10, [x0]
	cbnz	w11, .LBB0_3
	ret
	.size	detbench_atomic_add_f32, .Lfunc_end0-detbench_atomic_add_f32
)");
  EXPECT_EQ(in_words(only(pairs)), "f32 on aarch64: compare-and-swap loop (object: stxr)");
  const auto lse = read_host_assembly(R"(detbench_atomic_add_f32:                // @detbench_atomic_add_f32
.LBB0_1:                                // =>This Inner Loop Header: Depth=1
	fadd	s1, s1, s0
	cas	w8, w10, [x0]
	cmp	w8, w9
	b.ne	.LBB0_1
	.size	detbench_atomic_add_f32, .Lfunc_end0-detbench_atomic_add_f32
detbench_atomic_add_i32:                // @detbench_atomic_add_i32
	ldadd	w1, w8, [x0]
	ret
)");
  ASSERT_EQ(lse.size(), 2u);
  EXPECT_EQ(in_words(lse[0]), "f32 on aarch64: compare-and-swap loop (object: cas)");
  EXPECT_EQ(in_words(lse[1]), "i32 on aarch64: native (object: ldadd)");
}

// What the compiler of this build really made: no processor that this runs on adds floats in memory.
TEST(AtomicLowering, thisBuildsHostLoopsForFloats) {
  const auto& all = build_atomic_lowerings();
  const auto host = atomic_target(**make_cpu_device());
  ASSERT_FALSE(host.empty());
  for (const auto type : {AtomicType::f32, AtomicType::f64, AtomicType::f16, AtomicType::bf16}) {
    const auto* found = find_lowering(all, type, host);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->lowering, Lowering::cas_loop) << in_words(*found);
  }
#if defined(__x86_64__)
  EXPECT_EQ(host, "x86-64");
  for (const auto type : {AtomicType::i32, AtomicType::u32, AtomicType::u64}) EXPECT_EQ(find_lowering(all, type, host)->lowering, Lowering::native);
#endif
}

// Every architecture that this build compiled a listing for has all types, f32 and integers as instructions.
TEST(AtomicLowering, thisBuildsPtxIsUnderstood) {
  int architectures = 0;
  for (const auto& listing : atomic_listings::listings()) {
    if (!listing.name.ends_with(".ptx")) continue;
    ++architectures;
    const std::string target(listing.name.substr(0, listing.name.find('.')));
    for (const auto type : all_atomic_types) {
      const auto* found = find_lowering(build_atomic_lowerings(), type, target);
      ASSERT_NE(found, nullptr) << target << " " << to_text(type);
      if (type == AtomicType::f32 || type == AtomicType::f64 || type == AtomicType::u64) {
        EXPECT_EQ(found->lowering, Lowering::native) << in_words(*found);
      }
      EXPECT_FALSE(found->instruction.empty()) << in_words(*found);
    }
  }
  if (architectures == 0) GTEST_SKIP() << "this build has no CUDA toolkit";
}

TEST(AtomicLowering, rowsOfAtomicsCarryTheNote) {
  const auto device = make_cpu_device();
  ASSERT_TRUE(device);
  const Problem sum{"sum", "n1024", "bf16_f32_strict", "vector"}, half{"index_add", "n1024_bins16_hot0", "f16_f16_strict", "vector"};
  const auto note = atomic_lowering_note(sum, {"openmp", "chunk_atomic_static", {}, {}}, **device);
  ASSERT_TRUE(note);
  EXPECT_THAT(*note, testing::StartsWith("f32 on "));
  EXPECT_THAT(*note, HasSubstr("compare-and-swap loop (object"));
  EXPECT_THAT(*atomic_lowering_note(half, {"openmp", "atomic", {}, {}}, **device), testing::StartsWith("f16 on "));
  EXPECT_FALSE(atomic_lowering_note(sum, {"openmp", "reduction_static", {}, {}}, **device));
  EXPECT_FALSE(atomic_lowering_note(sum, {"fixed_order", "fixed_tree", {}, {}}, **device));
}

TEST(AtomicLowering, onAGpuTheLoadedCodeNamesItsListing) {
  const auto device = make_cuda_device();
  if (!device) GTEST_SKIP() << device.error().text;
  const auto target = atomic_target(**device);
  EXPECT_NE(find_lowering(build_atomic_lowerings(), AtomicType::f32, target), nullptr) << target;
}

}  // namespace
}  // namespace detbench
