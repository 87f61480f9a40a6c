"""ROS 2 nodes: wiring over the engine and the simulator."""
