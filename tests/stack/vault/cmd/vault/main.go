// A small Vault: the real core and HTTP API with the KV secrets engine and two login methods, in memory.
//
// The whole program has a hundred plugins more, and takes an hour to build. Prints a line when it listens.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"

	log "github.com/hashicorp/go-hclog"
	jwtauth "github.com/hashicorp/vault-plugin-auth-jwt"
	kubeauth "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

type plugin struct {
	kind    consts.PluginType
	factory logical.Factory
}

type registry map[string]plugin

var plugins = registry{
	"kv":         {consts.PluginTypeSecrets, kv.Factory},
	"jwt":        {consts.PluginTypeCredential, jwtauth.Factory},
	"kubernetes": {consts.PluginTypeCredential, kubeauth.Factory},
}

func (r registry) Contains(name string, kind consts.PluginType) bool {
	found, ok := r[name]
	return ok && found.kind == kind
}

func (r registry) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	if !r.Contains(name, kind) {
		return nil, false
	}
	return func() (interface{}, error) { return r[name].factory, nil }, true
}

func (r registry) Keys(kind consts.PluginType) []string {
	var names []string
	for name, found := range r {
		if found.kind == kind {
			names = append(names, name)
		}
	}
	return names
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (r registry) factories(kind consts.PluginType) map[string]logical.Factory {
	found := map[string]logical.Factory{}
	for _, name := range r.Keys(kind) {
		found[name] = r[name].factory
	}
	return found
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8200", "address to listen on")
	certificate := flag.String("certificate", "", "PEM file of the server's certificate")
	key := flag.String("key", "", "PEM file of its private key")
	token := flag.String("token-file", "", "where to write the root token")
	flag.Parse()

	logger := log.New(&log.LoggerOptions{Level: log.Warn})
	storage, err := inmem.NewInmem(nil, logger)
	check(err)
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		Logger:             logger,
		DisableMlock:       true,
		BuiltinRegistry:    plugins,
		LogicalBackends:    plugins.factories(consts.PluginTypeSecrets),
		CredentialBackends: plugins.factories(consts.PluginTypeCredential),
	})
	check(err)
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(context.Background(), &vault.InitParams{BarrierConfig: one, RecoveryConfig: one})
	check(err)
	_, err = core.Unseal(made.SecretShares[0])
	check(err)
	check(os.WriteFile(*token, []byte(made.RootToken), 0o600))

	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{}})
	check(http.ListenAndServeTLS(*listen, *certificate, *key, handler))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
