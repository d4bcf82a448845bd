// The Kubernetes provider of Pulumi without its SDK schema, which only code generation needs.
package main

import "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"

// Version is what the provider calls itself; it refuses to serve without one.
var Version = "4.34.0"

func main() {
	schema := `{"name":"kubernetes","version":"` + Version + `"}`
	provider.Serve("kubernetes", Version, []byte(schema), []byte("{}"))
}
