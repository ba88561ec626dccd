"""Kubernetes: what Warrener needs there, as manifests that a person can read, apply and keep.

A `Plan` says what is wanted; `manifests.render` makes plain objects of it, `text.to_yaml` makes YAML of them. All of
that is pure: no cluster is asked, and no client library is needed. `cluster`, `forward` and `kubeconfig` talk to a
cluster; `problems` says what stands in the way there.
"""
