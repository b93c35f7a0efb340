// Command kube holds what the tests need of Kubernetes. Its name selects the program, so it is called by links: etcd,
// kube-apiserver and kubectl are the real ones. statefulset-controller is that of kube-controller-manager alone, with
// the address of the API server as its argument. configmap-volume writes the file shard-0 into a folder as the kubelet
// updates the volume of a ConfigMap: one update for each line of standard input, which is the content of the file, and
// one line of standard output for each update.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register" // without it the API server does not know its default log format
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/pkg/controller/statefulset"
	volume "k8s.io/kubernetes/pkg/volume/util"
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kubectl":
		os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand()))
	case "statefulset-controller":
		exit(controlStatefulSets(context.Background()))
	case "configmap-volume":
		exit(writeVolume(os.Args[1]))
	default:
		exit(fmt.Errorf("no program %s", name))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// controlStatefulSets creates the pods of StatefulSets in the cluster that KUBECONFIG names, until it is killed.
func controlStatefulSets(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactory(client, 0)
	controller := statefulset.NewStatefulSetController(ctx, shared.Core().V1().Pods(), shared.Apps().V1().StatefulSets(),
		shared.Core().V1().PersistentVolumeClaims(), shared.Apps().V1().ControllerRevisions(), client)
	shared.Start(ctx.Done())
	controller.Run(ctx, 1)
	return nil
}

func writeVolume(folder string) error {
	writer, err := volume.NewAtomicWriter(folder, "test")
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		files := map[string]volume.FileProjection{"shard-0": {Data: lines.Bytes(), Mode: 0o644}}
		if err := writer.Write(files, nil); err != nil {
			return err
		}
		fmt.Println(lines.Text())
	}
	return lines.Err()
}
