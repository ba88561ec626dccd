"""The version of this package, told here alone."""

VERSION = "0.1.0"
