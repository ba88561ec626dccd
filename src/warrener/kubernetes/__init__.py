"""Kubernetes: what Warrener needs there, as manifests that a person can read, apply and keep.

`manifests` makes plain objects of a `Spec`, which says what is wanted, and YAML of them; `lint` finds what a cluster
would refuse. Both are pure: no cluster is asked, and no client library is needed. `client` talks to a cluster,
`diagnosis` says what stands in the way there, and `operations` are what the verbs of `warrener k8s` do.
"""
