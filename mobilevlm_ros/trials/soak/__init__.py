"""Large cameras and questions for minutes or hours, and what vlm_node takes meanwhile."""
