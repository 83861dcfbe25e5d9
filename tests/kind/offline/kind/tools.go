//go:build tools

// Package tools pins kind; it is never compiled.
package tools

import _ "sigs.k8s.io/kind"
