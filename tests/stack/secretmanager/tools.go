//go:build tools

package tools

import _ "github.com/blackwell-systems/gcp-secret-manager-emulator/cmd/server"
