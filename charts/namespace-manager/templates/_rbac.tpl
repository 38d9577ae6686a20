{{- /* What each role may do, and nothing else: docs/security.md shows it, and a test holds the two together.
       `cluster`: in the whole cluster; `own`: in the release's namespace. */ -}}
{{- define "nsm.rules" -}}
{{- $name := include "nsm.fullname" . -}}
{{- $reads := include "nsm.readsWorkloads" . -}}
collect-controller:
  cluster:
    # Which cluster it is; and, where the store knows none, whether its namespaces are there.
    - {apiGroups: [""], resources: [namespaces], resourceNames: [kube-system], verbs: [get]}
    - {apiGroups: [""], resources: [namespaces], verbs: [list]}
  own:
    # The lease. `create` knows no names.
    - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create]}
    - {apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [{{ $name }}-collect-controller], verbs: [get, patch]}
    # What it keeps running, within what the policy `{{ $name }}-workers` allows.
    - {apiGroups: [batch], resources: [jobs], verbs: [create, list, watch, delete]}
    - {apiGroups: [batch], resources: [cronjobs], verbs: [create, update, list, watch, delete]}
    # Why a Job does not start.
    - {apiGroups: [""], resources: [pods, events], verbs: [list]}
action-controller:
  cluster:
    - {apiGroups: [""], resources: [namespaces], resourceNames: [kube-system], verbs: [get]}
  own:
    - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create]}
    - {apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [{{ $name }}-action-controller], verbs: [get, patch]}
    - {apiGroups: [batch], resources: [jobs], verbs: [create, list, watch, delete]}
    # Its runner of Jobs reads schedules too, and has none.
    - {apiGroups: [batch], resources: [cronjobs], verbs: [list, watch]}
    - {apiGroups: [""], resources: [pods, events], verbs: [list]}
collector:
  cluster:
    # `patch` writes annotations.
    - {apiGroups: [""], resources: [namespaces], verbs: [get, list, watch, patch]}
    - {apiGroups: [events.k8s.io], resources: [events], verbs: [create]}
    {{- if $reads }}
    # The workloads in namespaces, where their health is read from them.
    {{- include "nsm.workloads" (list "list" "watch") | nindent 4 }}
    {{- end }}
action:
  cluster:
    # `patch` writes the annotations of notices and fences. `delete` comes with the mode, within what the policies `{{ $name }}-mark` and
    # `{{ $name }}-stop` allow.
    - {apiGroups: [""], resources: [namespaces], verbs: [get, patch{{ if eq (dig "mode" "observe" (.Values.config | default dict)) "enforce" }}, delete{{ end }}]}
    # That a deletion was refused.
    - {apiGroups: [events.k8s.io], resources: [events], verbs: [create]}
    {{- if $reads }}
    # The same once more before what has failed is deleted.
    {{- include "nsm.workloads" (list "list") | nindent 4 }}
    {{- end }}
api:
  cluster:
    # Who asks, and whether they may.
    - {apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]}
    - {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}
    # The stop, by its binding, which is applied, so that even `create` is limited to its name. And the fences that follow; `why` reads the namespace.
    - {apiGroups: [admissionregistration.k8s.io], resources: [validatingadmissionpolicybindings], resourceNames: [{{ $name }}-stop], verbs: [create, patch, delete]}
    - {apiGroups: [admissionregistration.k8s.io], resources: [validatingadmissionpolicies], resourceNames: [{{ $name }}-stop], verbs: [get]}
    - {apiGroups: [""], resources: [namespaces], verbs: [get, patch]}
{{- end -}}

{{- /* What is read of workloads, with these verbs. */ -}}
{{- define "nsm.workloads" -}}
{{- $verbs := join ", " . -}}
- {apiGroups: [apps], resources: [deployments, statefulsets, daemonsets, replicasets], verbs: [{{ $verbs }}]}
- {apiGroups: [batch], resources: [jobs, cronjobs], verbs: [{{ $verbs }}]}
- {apiGroups: [""], resources: [pods, persistentvolumeclaims], verbs: [{{ $verbs }}]}
- {apiGroups: [storage.k8s.io], resources: [storageclasses], verbs: [{{ $verbs }}]}
{{- end -}}

{{- /* Whether the health of any namespace is read from its workloads: not empty where so. */ -}}
{{- define "nsm.readsWorkloads" -}}
{{- if dig "health" "kubernetes" true (.Values.config | default dict) -}}
{{- range (dig "policies" list (.Values.config | default dict)) -}}
{{- /* Without quotes Helm makes `false` of `off`. */ -}}
{{- if not (has (dig "checks" "health" "auto" .) (list "off" false "prometheus")) }}yes{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
