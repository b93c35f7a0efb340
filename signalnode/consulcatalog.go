package signalnode

import (
	"cmp"
	"net/http"
	"slices"
)

// Instance is one registered instance of a service.
type Instance struct {
	// Service is the service's name, such as signal.
	Service string
	// ID is unique in the datacenter.
	ID string
	// Node and NodeAddress are of the machine that it runs on.
	Node, NodeAddress string
	// Address is the instance's own; "" if it is the node's.
	Address string
	Port    int
	Tags    []string
	Meta    map[string]string
	// Critical adds a check that fails, so that a query with passing leaves the instance out. Without it the instance
	// has only the check of its node.
	Critical bool

	createIndex, modifyIndex uint64
}

// Register adds an instance, or replaces the one with its service and ID.
func (d Datacenter) Register(i Instance) {
	d.d.write(func(index uint64) {
		i.createIndex, i.modifyIndex = index, index
		instances := d.d.services[i.Service]
		if instances == nil {
			instances = make(map[string]Instance)
			d.d.services[i.Service] = instances
		}
		if old, exists := instances[i.ID]; exists {
			i.createIndex = old.createIndex
		}
		instances[i.ID] = i
		d.d.serviceIndex[i.Service], d.d.catalogIndex = index, index
	})
}

// Deregister removes an instance. It does nothing if there is none.
func (d Datacenter) Deregister(service, id string) {
	d.d.write(func(index uint64) {
		instances := d.d.services[service]
		if _, exists := instances[id]; !exists {
			return
		}
		delete(instances, id)
		if len(instances) == 0 {
			delete(d.d.services, service)
		}
		d.d.serviceIndex[service], d.d.catalogIndex = index, index
	})
}

func (c *Consul) serveLeader(w http.ResponseWriter, r *http.Request) error {
	if err := allow(w, r, http.MethodGet); err != nil {
		return err
	}
	if _, err := c.parseQuery(r); err != nil {
		return err
	}
	jsonAnswer("127.0.0.1:8300").writeTo(w)
	return nil
}

func (c *Consul) serveDatacenters(w http.ResponseWriter, r *http.Request) error {
	if err := allow(w, r, http.MethodGet); err != nil {
		return err
	}
	jsonAnswer(c.names).writeTo(w)
	return nil
}

// serveServices lists the services with their tags. As in Consul, the servers themselves are the service consul.
func (c *Consul) serveServices(w http.ResponseWriter, r *http.Request) error {
	if err := allow(w, r, http.MethodGet); err != nil {
		return err
	}
	q, err := c.parseQuery(r)
	if err != nil {
		return err
	}
	var services map[string][]string
	index := q.block(r.Context(), func(d *datacenter) (uint64, bool) {
		services = map[string][]string{"consul": {}}
		for name, instances := range d.services {
			tags := []string{}
			for _, i := range instances {
				tags = append(tags, i.Tags...)
			}
			slices.Sort(tags)
			services[name] = slices.Compact(tags)
		}
		return d.catalogIndex, true
	})
	writeMeta(w, index)
	jsonAnswer(services).writeTo(w)
	return nil
}

// serveCatalog lists the instances of a service, whatever their checks.
func (c *Consul) serveCatalog(w http.ResponseWriter, r *http.Request, service string) error {
	q, instances, err := c.instances(w, r, service)
	if err != nil {
		return err
	}
	rows := []map[string]any{}
	for _, i := range instances {
		rows = append(rows, map[string]any{
			"Node": i.Node, "Address": i.NodeAddress, "Datacenter": c.name(q),
			"ServiceID": i.ID, "ServiceName": i.Service, "ServiceAddress": i.Address, "ServicePort": i.Port,
			"ServiceTags": nonNil(i.Tags), "ServiceMeta": i.Meta,
			"CreateIndex": i.createIndex, "ModifyIndex": i.modifyIndex,
		})
	}
	jsonAnswer(rows).writeTo(w)
	return nil
}

// serveHealth lists the instances of a service with their checks.
func (c *Consul) serveHealth(w http.ResponseWriter, r *http.Request, service string) error {
	q, instances, err := c.instances(w, r, service)
	if err != nil {
		return err
	}
	rows := []map[string]any{}
	for _, i := range instances {
		checks := []map[string]any{check(i.Node, "serfHealth", "passing", Instance{})}
		if i.Critical {
			if q.parameters.Has("passing") {
				continue
			}
			checks = append(checks, check(i.Node, "service:"+i.ID, "critical", i))
		}
		rows = append(rows, map[string]any{
			"Node": map[string]any{"Node": i.Node, "Address": i.NodeAddress, "Datacenter": c.name(q)},
			"Service": map[string]any{
				"ID": i.ID, "Service": i.Service, "Address": i.Address, "Port": i.Port,
				"Tags": nonNil(i.Tags), "Meta": i.Meta, "CreateIndex": i.createIndex, "ModifyIndex": i.modifyIndex,
			},
			"Checks": checks,
		})
	}
	jsonAnswer(rows).writeTo(w)
	return nil
}

// check returns a check of an instance, or of its node for the zero Instance.
func check(node, id, status string, of Instance) map[string]any {
	return map[string]any{
		"Node": node, "CheckID": id, "Status": status, "ServiceID": of.ID, "ServiceName": of.Service,
	}
}

// instances waits as the request asks, writes the headers, and returns the instances, sorted by node and ID.
func (c *Consul) instances(w http.ResponseWriter, r *http.Request, service string) (query, []Instance, error) {
	if err := allow(w, r, http.MethodGet); err != nil {
		return query{}, nil, err
	}
	q, err := c.parseQuery(r)
	if err != nil {
		return query{}, nil, err
	}
	if service == "" {
		return query{}, nil, failure{http.StatusBadRequest, "Missing service name"}
	}
	var found []Instance
	index := q.block(r.Context(), func(d *datacenter) (uint64, bool) {
		found = found[:0]
		for _, i := range d.services[service] {
			found = append(found, i)
		}
		if index, known := d.serviceIndex[service]; known {
			return index, true
		}
		return d.catalogIndex, false
	})
	slices.SortFunc(found, func(a, b Instance) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.ID, b.ID))
	})
	writeMeta(w, index)
	return q, found, nil
}

// name returns the name of the datacenter that a query is for.
func (c *Consul) name(q query) string { return cmp.Or(q.parameters.Get("dc"), c.names[0]) }

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
