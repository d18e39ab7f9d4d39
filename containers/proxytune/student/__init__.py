"""The students: autoregressive image models, one folder a family, and what trains and samples them."""
