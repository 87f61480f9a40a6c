// What the pages use of Nav2's BtServiceNode, declared as there.
#pragma once

#include <memory>
#include <string>

#include "behaviortree_cpp/bt_factory.h"

namespace nav2_behavior_tree
{
template<class ServiceT>
class BtServiceNode : public BT::ActionNodeBase
{
public:
  BtServiceNode(
    const std::string & name, const BT::NodeConfiguration & conf,
    const std::string & service_name = "");

  static BT::PortsList providedBasicPorts(BT::PortsList addition);

  virtual void on_tick();

  virtual BT::NodeStatus on_completion(std::shared_ptr<typename ServiceT::Response> response);

protected:
  std::shared_ptr<typename ServiceT::Request> request_;
};
}  // namespace nav2_behavior_tree
