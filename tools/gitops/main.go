// Argo CD's engine over one Application: compare, sync, and say what was done, as JSON.
//
//	argo-engine [--compare] [--prune] [--patience 60s] APPLICATION.yaml OBJECTS
//
// Argo CD itself is not a Go module that others can require; its engine is. What lies between the
// two is done here as Argo CD does it: an object's tracking id, one sync context an attempt with
// the state of the last one, a pause between waves, and the fields of spec.ignoreDifferences.
// OBJECTS is a file, or a directory in which every YAML and JSON file is a manifest.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

const (
	manager    = "argocd-controller" // the field manager of Argo CD's server-side apply
	trackingID = "argocd.argoproj.io/tracking-id"
	waveDelay  = 2 * time.Second // Argo CD's own: controllers see a wave before the next one
	poll       = 500 * time.Millisecond
)

// Application is what a sync reads of Argo CD's object.
type Application struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Destination struct {
			Namespace string `json:"namespace"`
		} `json:"destination"`
		SyncPolicy struct {
			SyncOptions []string `json:"syncOptions"`
		} `json:"syncPolicy"`
		IgnoreDifferences []Ignored `json:"ignoreDifferences"`
	} `json:"spec"`
}

// Result is printed: what differed before the sync, and what became of each object.
type Result struct {
	Phase     common.OperationPhase `json:"phase"`
	Message   string                `json:"message"`
	OutOfSync []string              `json:"outOfSync"`
	Objects   map[string]string     `json:"objects"`
}

func main() {
	compare := flag.Bool("compare", false, "say what differs, and change nothing")
	prune := flag.Bool("prune", false, "delete what left the objects")
	patience := flag.Duration("patience", time.Minute, "how long a sync may go on without news")
	flag.Parse()
	if flag.NArg() != 2 {
		fail(fmt.Errorf("expected APPLICATION.yaml and OBJECTS, got %d arguments", flag.NArg()))
	}
	app := &Application{}
	text, err := os.ReadFile(flag.Arg(0))
	check(err)
	check(yaml.Unmarshal(text, app))
	targets, err := manifests(flag.Arg(1))
	check(err)
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(err)
	config.QPS, config.Burst = 100, 200
	result, err := synced(config, app, targets, *compare, *prune, *patience)
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(result))
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "argo-engine:", err)
	os.Exit(2)
}

// manifests reads a file, or all files of a directory as Argo CD's plain directories do.
func manifests(place string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	err := filepath.WalkDir(place, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		kinds := []string{".yaml", ".yml", ".json"}
		if path != place && !slices.Contains(kinds, filepath.Ext(path)) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		items, err := kube.SplitYAML(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, items...)
		return nil
	})
	return all, err
}

// synced runs one operation to its end, or until nothing happens any more.
func synced(
	config *rest.Config, app *Application,
	targets []*unstructured.Unstructured, compare, prune bool, patience time.Duration,
) (*Result, error) {
	log := logr.Discard()
	for _, target := range targets {
		notes := target.GetAnnotations()
		if notes == nil {
			notes = map[string]string{}
		}
		notes[trackingID] = app.tracking(kube.GetResourceKey(target))
		target.SetAnnotations(notes)
	}
	live := cache.NewClusterCache(config, cache.SetLogr(log),
		cache.SetPopulateResourceInfoHandler(
			func(item *unstructured.Unstructured, _ bool) (any, bool) {
				id := item.GetAnnotations()[trackingID]
				return id, id != ""
			}))
	if err := live.EnsureSynced(); err != nil {
		return nil, err
	}
	defer live.Invalidate()
	isOurs := func(found *cache.Resource) bool {
		return found.Info == app.tracking(found.ResourceKey())
	}
	ignored, err := newNormalizer(app.Spec.IgnoreDifferences)
	if err != nil {
		return nil, err
	}
	kubectl := &kube.KubectlCmd{Log: log, Tracer: tracing.NopTracer{}}
	serverSide := slices.Contains(app.Spec.SyncPolicy.SyncOptions, "ServerSideApply=true")
	respect := slices.Contains(app.Spec.SyncPolicy.SyncOptions, "RespectIgnoreDifferences=true")

	result := &Result{Phase: common.OperationRunning, OutOfSync: []string{}}
	started, last, news := metav1.Now(), time.Now(), ""
	var states []common.ResourceSyncResult
	for attempt := 0; ; attempt++ {
		managed, err := live.GetManagedLiveObjs(targets, isOurs)
		if err != nil {
			return nil, err
		}
		found := sync.Reconcile(copies(targets), managed, app.Spec.Destination.Namespace, live)
		if attempt == 0 {
			compared, err := diff.DiffArray(found.Target, found.Live,
				diff.WithNormalizer(ignored), diff.WithStructuredMergeDiff(serverSide),
				diff.WithGVKParser(live.GetGVKParser()), diff.WithManager(manager),
				diff.WithLogr(log))
			if err != nil {
				return nil, err
			}
			for index, one := range compared.Diffs {
				if one.Modified || found.Target[index] == nil {
					result.OutOfSync = append(result.OutOfSync, told(found, index))
				}
			}
			slices.Sort(result.OutOfSync)
			if len(result.OutOfSync) == 0 { // an automated sync has nothing to do
				result.Phase, result.Message = common.OperationSucceeded, "in sync"
				break
			}
			if compare {
				break
			}
		}
		if respect {
			if err := ignored.keep(found); err != nil {
				return nil, err
			}
		}
		operation, cleanup, err := sync.NewSyncContext("", found, config, config, kubectl,
			app.Spec.Destination.Namespace,
			sync.WithInitialState(result.Phase, result.Message, states, started),
			sync.WithPrune(prune), sync.WithServerSideApply(serverSide),
			sync.WithServerSideApplyManager(manager), sync.WithLogr(log),
			sync.WithSyncWaveHook(func(_ common.SyncPhase, _ int, final bool) error {
				if !final {
					time.Sleep(waveDelay)
				}
				return nil
			}))
		if err != nil {
			return nil, err
		}
		operation.Sync()
		result.Phase, result.Message, states = operation.GetState()
		cleanup()
		if now := fmt.Sprint(result.Phase, result.Message, len(states)); now != news {
			last, news = time.Now(), now
		}
		if result.Phase.Completed() || time.Since(last) > patience {
			break
		}
		time.Sleep(poll)
	}
	result.Objects = map[string]string{}
	for _, state := range states {
		result.Objects[named(state.ResourceKey)] = string(state.Status) + ": " + state.Message
	}
	return result, nil
}

func copies(items []*unstructured.Unstructured) []*unstructured.Unstructured {
	all := make([]*unstructured.Unstructured, len(items))
	for index, item := range items {
		all[index] = item.DeepCopy()
	}
	return all
}

// tracking is what Argo CD writes on an object to know it again.
func (app *Application) tracking(key kube.ResourceKey) string {
	return fmt.Sprintf("%s:%s/%s:%s/%s", app.Metadata.Name, key.Group, key.Kind, key.Namespace, key.Name)
}

func told(found sync.ReconciliationResult, index int) string {
	if found.Target[index] != nil {
		return named(kube.GetResourceKey(found.Target[index]))
	}
	return named(kube.GetResourceKey(found.Live[index]))
}

func named(key kube.ResourceKey) string {
	return strings.Join([]string{key.Kind, key.Name}, "/")
}
