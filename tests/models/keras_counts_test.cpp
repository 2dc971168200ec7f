// Parameter counts of every variant against those that Keras reports (tests/data/keras/counts.json).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "models/catalog.hpp"
#include "tests/models/keras_reference.hpp"

namespace detbench {
namespace {

using Json = nlohmann::json;

TEST(KerasCounts, EveryModelHasKerassParametersToTheLastOne) {
  const Json stored = Json::parse(testing::read_keras_file("counts.json"));
  std::set<std::string> seen;
  int in_keras = 0;
  for (const auto& m : stored.at("models")) {
    const std::string name = m.at("model");
    SCOPED_TRACE(name);
    const auto network = make_network(name, m.at("pixels"), m.at("classes"), m.at("channels"));
    ASSERT_TRUE(network) << network.error().text;
    EXPECT_EQ(network->trainable_count(), m.at("trainable").get<std::int64_t>());
    EXPECT_EQ(network->moving_count(), m.at("non_trainable").get<std::int64_t>());
    EXPECT_TRUE(seen.insert(name).second);
    in_keras += m.at("in_keras_applications").get<bool>();
  }
  // B0..B7 and six alphas come from keras.applications itself; with Lite and the small ones the whole catalog is here.
  EXPECT_EQ(in_keras, 14);
  for (const auto& entry : models()) EXPECT_TRUE(seen.count(entry.name)) << entry.name << " is in the catalog and not in the reference";
  for (const auto& entry : models())
    for (const auto& m : stored.at("models"))
      if (m.at("model") == entry.name) {
        EXPECT_EQ(entry.pixels, m.at("pixels").get<std::int64_t>()) << entry.name;
        EXPECT_EQ(entry.classes, m.at("classes").get<std::int64_t>()) << entry.name;
      }
}

}  // namespace
}  // namespace detbench
