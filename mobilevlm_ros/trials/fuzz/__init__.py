"""Odd and damaged messages to a vlm_node, which must neither end, hang nor be fooled."""
