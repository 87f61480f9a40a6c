"""Driving by what the model says of the ways ahead. No ROS here: nodes/patrol_node.py wires it."""
