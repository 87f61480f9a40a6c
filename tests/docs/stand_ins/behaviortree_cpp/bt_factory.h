// What the pages use of BehaviorTree.CPP 4, declared as there.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace BT
{
enum class NodeStatus { IDLE, RUNNING, SUCCESS, FAILURE, SKIPPED };

struct NodeConfig;
using NodeConfiguration = NodeConfig;

class PortInfo;
using PortsList = std::unordered_map<std::string, PortInfo>;

template<typename T>
std::pair<std::string, PortInfo> InputPort(const std::string & name, const std::string & text = {});

template<typename T, typename Default>
std::pair<std::string, PortInfo> InputPort(
  const std::string & name, const Default & value, const std::string & text);

template<typename T>
std::pair<std::string, PortInfo> OutputPort(
  const std::string & name, const std::string & text = {});

class Result
{
public:
  explicit operator bool() const;
};

class ActionNodeBase
{
public:
  ActionNodeBase(const std::string & name, const NodeConfig & config);
  virtual ~ActionNodeBase() = default;

  template<typename T>
  Result getInput(const std::string & key, T & destination) const;

  template<typename T>
  Result setOutput(const std::string & key, const T & value);
};

class BehaviorTreeFactory
{
public:
  template<typename T>
  void registerNodeType(const std::string & id);
};

class PortInfo {};
}  // namespace BT

#define BT_REGISTER_NODES(factory) \
  extern "C" void BT_RegisterNodesFromPlugin(BT::BehaviorTreeFactory & factory)
