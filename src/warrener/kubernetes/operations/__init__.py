"""What the verbs of `warrener k8s` do with a cluster. Nothing is kept here between two of them."""
