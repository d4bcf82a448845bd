package main

import (
	"encoding/json"
	"fmt"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/itchyny/gojq"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

// Ignored is one entry of spec.ignoreDifferences.
type Ignored struct {
	Group             string   `json:"group"`
	Kind              string   `json:"kind"`
	Name              string   `json:"name"`
	JQPathExpressions []string `json:"jqPathExpressions"`
}

type rule struct {
	Ignored
	deletions []*gojq.Code
}

// normalizer takes ignored fields out of both sides of a comparison.
type normalizer struct{ rules []rule }

func newNormalizer(entries []Ignored) (*normalizer, error) {
	made := &normalizer{}
	for _, entry := range entries {
		one := rule{Ignored: entry}
		for _, path := range entry.JQPathExpressions {
			query, err := gojq.Parse("del(" + path + ")")
			if err != nil {
				return nil, fmt.Errorf("jqPathExpressions: %s: %w", path, err)
			}
			code, err := gojq.Compile(query)
			if err != nil {
				return nil, fmt.Errorf("jqPathExpressions: %s: %w", path, err)
			}
			one.deletions = append(one.deletions, code)
		}
		made.rules = append(made.rules, one)
	}
	return made, nil
}

// Normalize is what the engine's comparison calls.
func (known *normalizer) Normalize(item *unstructured.Unstructured) error {
	if item == nil {
		return nil
	}
	gvk := item.GroupVersionKind()
	for _, one := range known.rules {
		if one.Group != gvk.Group || one.Kind != gvk.Kind || one.Name != item.GetName() {
			continue
		}
		for _, deletion := range one.deletions {
			answer, ok := deletion.Run(plain(item.Object)).Next()
			if !ok {
				continue
			}
			if err, failed := answer.(error); failed {
				return fmt.Errorf("%s %s: %w", gvk.Kind, item.GetName(), err)
			}
			left, ok := answer.(map[string]any)
			if !ok {
				return fmt.Errorf("%s %s: nothing is left of it", gvk.Kind, item.GetName())
			}
			text, err := json.Marshal(left)
			if err != nil {
				return err
			}
			if err := item.UnmarshalJSON(text); err != nil {
				return err
			}
		}
	}
	return nil
}

// plain is the object with the number types that gojq knows.
func plain(object map[string]any) any {
	var copied any
	text, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(text, &copied)
	}
	if err != nil {
		panic(err) // it came from JSON
	}
	return copied
}

// keep gives every target the ignored fields of its live object: RespectIgnoreDifferences.
func (known *normalizer) keep(found sync.ReconciliationResult) error {
	for index, target := range found.Target {
		live := found.Live[index]
		if target == nil || live == nil {
			continue
		}
		bare := live.DeepCopy()
		if err := known.Normalize(bare); err != nil {
			return err
		}
		if err := known.Normalize(target); err != nil {
			return err
		}
		texts := make([][]byte, 3)
		for which, item := range []*unstructured.Unstructured{bare, live, target} {
			text, err := item.MarshalJSON()
			if err != nil {
				return err
			}
			texts[which] = text
		}
		merged, err := restored(live, texts[0], texts[1], texts[2])
		if err != nil {
			return fmt.Errorf("%s %s: %w", live.GetKind(), live.GetName(), err)
		}
		if err := target.UnmarshalJSON(merged); err != nil {
			return err
		}
	}
	return nil
}

// restored puts what normalizing took from the live object into the target: by the merge keys of
// a kind that this program knows, by JSON merge otherwise.
func restored(item *unstructured.Unstructured, bare, live, target []byte) ([]byte, error) {
	typed, err := scheme.Scheme.New(item.GroupVersionKind())
	if err != nil {
		patch, err := jsonpatch.CreateMergePatch(bare, live)
		if err != nil {
			return nil, err
		}
		return jsonpatch.MergePatch(target, patch)
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(typed)
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(live, live, bare, meta, true)
	if err != nil {
		return nil, err
	}
	return strategicpatch.StrategicMergePatchUsingLookupPatchMeta(target, patch, meta)
}
