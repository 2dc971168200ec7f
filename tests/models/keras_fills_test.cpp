// tests/data/keras/fills.json is drawn by scripts/keras_reference/fills.py, an implementation of its own; the values that
// Keras was given are ours only as long as both have these bits.
#include <gtest/gtest.h>

#include <bit>
#include <nlohmann/json.hpp>

#include "kernels/tensor/fill_arithmetic.hpp"
#include "tests/models/keras_reference.hpp"
#include "tests/models/small_networks.hpp"

namespace detbench {
namespace {

using Json = nlohmann::json;

FillSpec::Kind kind_of(const std::string& name) {
  for (const auto& [text, kind] : {std::pair{"constant", FillSpec::Kind::constant}, {"uniform", FillSpec::Kind::uniform}, {"normal", FillSpec::Kind::normal},
                                   {"truncated_normal", FillSpec::Kind::truncated_normal}, {"index", FillSpec::Kind::index}})
    if (name == text) return kind;
  throw std::runtime_error("no fill kind " + name);
}

/// Element i alone, wherever it lies: the fill of a tensor that ends with it would not fit into memory for the far ones.
template <class Computed>
Computed element_of(const FillPlan& plan, std::uint64_t i) {
  using Group = FillGroup<Computed>;
  const auto size = static_cast<std::uint64_t>(Group::size(plan.kind));
  PhiloxWords words[max_fill_calls];
  for (int call = 0; call < Group::calls(plan.kind); ++call) words[call] = philox4x32(i / size, static_cast<std::uint32_t>(call), 0, plan.key);
  Computed group[Group::max_size] = {};
  Group::convert(plan, words, i / size, group);
  return group[i % size];
}

TEST(KerasFills, HaveTheBitsThatThePythonScriptDraws) {
  const Json stored = Json::parse(testing::read_keras_file("fills.json"));
  ASSERT_EQ(stored.at("fill_version"), fill_version);
  ASSERT_GE(stored.at("fills").size(), 11u);
  for (const auto& f : stored.at("fills")) {
    const std::string kind = f.at("kind"), stream = f.at("stream");
    const FillSpec spec{kind_of(kind), f.at("seed"), stream, f.at("scale"), f.at("limit"), 1.0};
    const bool integer = kind == "index";
    const auto plan = plan_fill(integer ? DataType::i64 : DataType::f32, spec);
    ASSERT_TRUE(plan) << plan.error().text;
    const std::vector<std::uint64_t> indices = f.at("indices");
    ASSERT_EQ(indices.size(), f.at("values").size());
    for (std::size_t k = 0; k < indices.size(); ++k) {
      if (integer) EXPECT_EQ(element_of<std::int64_t>(*plan, indices[k]), f.at("values")[k].get<std::int64_t>()) << stream << "[" << indices[k] << "]";
      else EXPECT_EQ(std::bit_cast<std::uint32_t>(element_of<float>(*plan, indices[k])), std::stoul(f.at("values")[k].get<std::string>(), nullptr, 16)) << kind << " " << stream << "[" << indices[k] << "]";
    }
    const std::int64_t checked = f.at("checked");
    std::uint64_t sum = 0;
    const auto add = [&](const auto& values, auto bits) {
      for (std::size_t i = 0; i < values.size(); ++i) sum += bits(values[i]) * (2 * i + 1);
    };
    if (integer) add(testing::filled<std::int64_t>({"fill", DataType::i64, {checked}, {}}, spec), [](std::int64_t v) { return static_cast<std::uint64_t>(v); });
    else add(testing::filled<float>({"fill", DataType::f32, {checked}, {}}, spec), [](float v) { return std::uint64_t{std::bit_cast<std::uint32_t>(v)}; });
    EXPECT_EQ(sum, std::stoull(f.at("checksum").get<std::string>(), nullptr, 16)) << kind << " of stream " << stream;
  }
}

}  // namespace
}  // namespace detbench
