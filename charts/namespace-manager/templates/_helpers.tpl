{{- define "nsm.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "namespace-manager" $name) -}}
{{- $name = printf "%s-namespace-manager" $name -}}
{{- end -}}
{{- /* `leadership.name`: the longest name made of it is a Job's, `-collector-<shard>-<slot>-<turn>`, 63 characters in all. */ -}}
{{- if gt (len $name) 32 -}}
{{- fail (printf "the names of this release would begin with `%s`, which is longer than 32 characters; choose a shorter release name" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "nsm.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- /* Labels that select, of the pods of one component: (dict "root" $ "component" "api"). */ -}}
{{- define "nsm.selector" -}}
app.kubernetes.io/name: namespace-manager
app.kubernetes.io/instance: {{ include "nsm.fullname" .root }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "nsm.labels" -}}
{{ include "nsm.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{- /* The name of a ServiceAccount as a user. */ -}}
{{- define "nsm.user" -}}
system:serviceaccount:{{ .root.Release.Namespace }}:{{ include "nsm.fullname" .root }}-{{ .component }}
{{- end -}}

{{- /* Helm makes `true` of `on`, `yes` and `y`, and `false` of `off`, `no` and `n`, where they have no quotes. Our parser knows the key
`on` of a policy so; which label was meant nobody knows, and several of them are one. */ -}}
{{- define "nsm.policyIsClear" -}}
{{- $policy := . -}}
{{- if and (hasKey $policy "on") (hasKey $policy "true") -}}
{{- fail (printf "the policy `%s` has the key `on` twice, in quotes and without; remove one" $policy.name) -}}
{{- end -}}
{{- range $selector := concat ($policy.match.any | default list) ($policy.match.all | default list) -}}
{{- range $part := list "labels" "annotations" -}}
{{- $pairs := index $selector $part | default dict -}}
{{- if hasKey $pairs "true" -}}
{{- fail (printf "the policy `%s` matches %s by a key `true`, which Helm makes of `on`, `yes` and `y`; put the key in quotes" $policy.name $part) -}}
{{- else if hasKey $pairs "false" -}}
{{- fail (printf "the policy `%s` matches %s by a key `false`, which Helm makes of `off`, `no` and `n`; put the key in quotes" $policy.name $part) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The configuration of the pods, as YAML: `config` and, laid over it, what the chart alone knows. */ -}}
{{- define "nsm.config" -}}
{{- $name := include "nsm.fullname" . -}}
{{- $secrets := "/etc/namespace-manager-secrets" -}}
{{- $given := deepCopy (.Values.config | default dict) -}}
{{- range $given.policies -}}
{{- include "nsm.policyIsClear" . -}}
{{- end -}}
{{- $said := dict
    "leadership" (dict "name" $name)
    "jobs" (dict "templates" "/etc/namespace-manager-jobs")
    "guard" (dict "mark_policy" (printf "%s-mark" $name) "stop_policy" (printf "%s-stop" $name))
    "admin" (dict "listen" "0.0.0.0:9180")
    "api" (dict "listen" "0.0.0.0:8443")
    "exclude" (append ($given.exclude | default list) .Release.Namespace | uniq) -}}
{{- range $part := list "store" "queue" -}}
{{- $secret := index $.Values.secrets $part -}}
{{- if $secret.name -}}
{{- $files := dict -}}
{{- range $key := list "username" "password" "ca" -}}
{{- with index $secret $key -}}
{{- $_ := set $files (printf "%s_file" $key) (printf "%s/%s/%s" $secrets $part .) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $said $part $files -}}
{{- end -}}
{{- end -}}
{{- if .Values.secrets.webhook.name -}}
{{- $_ := set $said "notices" (dict "webhook" (dict "secret_file" (printf "%s/webhook/%s" $secrets .Values.secrets.webhook.secret))) -}}
{{- end -}}
{{- with .Values.secrets.prometheus -}}
{{- $secret := . -}}
{{- $files := dict -}}
{{- range $key := list "password" "token" "ca" "cert" "key" -}}
{{- with index $secret $key -}}
{{- $_ := set $files (printf "%s_file" $key) (printf "%s/prometheus/%s" $secrets .) -}}
{{- end -}}
{{- end -}}
{{- if and $secret.name $files -}}
{{- $_ := set $said "prometheus" $files -}}
{{- end -}}
{{- end -}}
{{- range $part := list "gitlab" "github" -}}
{{- $secret := index $.Values.secrets $part -}}
{{- $files := dict -}}
{{- range $key := list "token" "ca" -}}
{{- with and $secret.name (index $secret $key) -}}
{{- $_ := set $files (printf "%s_file" $key) (printf "%s/%s/%s" $secrets $part .) -}}
{{- end -}}
{{- end -}}
{{- with and $.Values.secrets.hooks.name (index $.Values.secrets.hooks $part) -}}
{{- $_ := set $files "webhook_secret_file" (printf "%s/hooks/%s" $secrets .) -}}
{{- end -}}
{{- with $files -}}
{{- $_ := set $said $part . -}}
{{- end -}}
{{- end -}}
{{- if .Values.secrets.apiTls.name -}}
{{- $_ := set $said.api "tls" (dict "cert_file" (printf "%s/api-tls/tls.crt" $secrets) "key_file" (printf "%s/api-tls/tls.key" $secrets)) -}}
{{- end -}}
{{- mustMergeOverwrite $given $said | toYaml -}}
{{- end -}}

{{- /* What is read once, when a process starts: where it changes, the pods are replaced. Everything else is taken in while running. */ -}}
{{- define "nsm.restart" -}}
{{- $config := include "nsm.config" . | fromYaml -}}
{{- $read := pick $config "store" "queue" "leadership" "admin" "telemetry" -}}
{{- $_ := set $read "api" (pick $config.api "listen" "tls") -}}
{{- $_ := set $read "jobs" (pick $config.jobs "templates") -}}
{{- toYaml $read | sha256sum -}}
{{- end -}}

{{- /* The environment of every container. */ -}}
{{- define "nsm.env" -}}
- name: CONFIG_PATH
  value: /etc/namespace-manager
- name: POD_NAME
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}
- name: POD_UID
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.uid}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}
{{- if and .root.Values.proxy.url (has .component (list "action" "collector")) }}
- name: HTTPS_PROXY
  value: {{ quote .root.Values.proxy.url }}
- name: HTTP_PROXY
  value: {{ quote .root.Values.proxy.url }}
{{- with .root.Values.proxy.except }}
- name: NO_PROXY
  value: {{ join "," . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Which Secrets a component mounts, by directory. */ -}}
{{- define "nsm.secrets" -}}
{{- $names := list "store" "queue" -}}
{{- if eq .component "action" }}{{ $names = append $names "webhook" }}{{ end -}}
{{- if has .component (list "action" "collector") }}{{ $names = concat $names (list "prometheus" "gitlab" "github") }}{{ end -}}
{{- if eq .component "api" }}{{ $names = concat $names (list "apiTls" "hooks") }}{{ end -}}
{{- $found := dict -}}
{{- range $key := $names -}}
{{- with (index $.root.Values.secrets $key).name -}}
{{- $_ := set $found (kebabcase $key) . -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{- /* Volumes and their mounts, with every default written out, so that an admission policy can compare them. */ -}}
{{- define "nsm.volumes" -}}
{{- $name := include "nsm.fullname" .root -}}
- name: config
  configMap: {name: {{ $name }}-config, defaultMode: 420}
{{- if hasSuffix "-controller" .component }}
- name: jobs
  configMap: {name: {{ $name }}-jobs, defaultMode: 420}
{{- end }}
{{- range $directory, $secret := include "nsm.secrets" . | fromYaml }}
- name: secret-{{ $directory }}
  secret: {secretName: {{ $secret }}, defaultMode: 420}
{{- end }}
{{- end -}}

{{- define "nsm.mounts" -}}
- name: config
  mountPath: /etc/namespace-manager
  readOnly: true
{{- if hasSuffix "-controller" .component }}
- name: jobs
  mountPath: /etc/namespace-manager-jobs
  readOnly: true
{{- end }}
{{- range $directory, $secret := include "nsm.secrets" . | fromYaml }}
- name: secret-{{ $directory }}
  mountPath: /etc/namespace-manager-secrets/{{ $directory }}
  readOnly: true
{{- end }}
{{- end -}}

{{- /* Restricted pod security. */ -}}
{{- define "nsm.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "nsm.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* What all pods say in the same way. */ -}}
{{- define "nsm.pod" -}}
serviceAccountName: {{ include "nsm.fullname" .root }}-{{ .component }}
enableServiceLinks: false
securityContext:
  {{- include "nsm.podSecurity" . | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.pods }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* A Deployment: (dict "root" $ "component" "api" "values" .Values.api "ports" (dict "admin" 9180)). */ -}}
{{- define "nsm.deployment" -}}
{{- $name := include "nsm.fullname" .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "nsm.labels" . | nindent 4 }}
spec:
  replicas: {{ .values.replicas }}
  revisionHistoryLimit: 3
  selector:
    matchLabels:
      {{- include "nsm.selector" . | nindent 6 }}
  strategy:
    type: RollingUpdate
    # One more first, so that somebody waits for the lease before its holder goes.
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels:
        {{- with .root.Values.pods.labels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "nsm.labels" . | nindent 8 }}
      annotations:
        {{- with .root.Values.pods.annotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        namespace-manager.io/restart: {{ include "nsm.restart" .root }}
    spec:
      {{- include "nsm.pod" . | nindent 6 }}
      topologySpreadConstraints:
        {{- with .root.Values.pods.topologySpreadConstraints }}
        {{- toYaml . | nindent 8 }}
        {{- else }}
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "nsm.selector" . | nindent 14 }}
        {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "nsm.image" .root }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          command: [/usr/local/bin/{{ .component }}]
          env:
            {{- include "nsm.env" . | nindent 12 }}
          ports:
            {{- range $port, $number := .ports }}
            - {name: {{ $port }}, containerPort: {{ $number }}, protocol: TCP}
            {{- end }}
          startupProbe:
            httpGet: {path: /livez, port: admin}
            periodSeconds: 2
            failureThreshold: 30
          livenessProbe:
            httpGet: {path: /livez, port: admin}
            periodSeconds: 10
            timeoutSeconds: 5
          readinessProbe:
            httpGet: {path: /readyz, port: admin}
            periodSeconds: 5
            timeoutSeconds: 5
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "nsm.containerSecurity" . | nindent 12 }}
          volumeMounts:
            {{- include "nsm.mounts" . | nindent 12 }}
      volumes:
        {{- include "nsm.volumes" . | nindent 8 }}
{{- end -}}

{{- /* A literal of CEL for any value: (dict "value" …). Mixed lists and maps are `dyn`, for CEL wants one type in each. */ -}}
{{- define "nsm.cel" -}}
{{- if kindIs "map" . -}}
dyn({ {{- range $i, $key := keys . | sortAlpha }}{{ if $i }}, {{ end }}{{ toRawJson $key }}: {{ include "nsm.cel" (index $ $key) }}{{ end -}} })
{{- else if kindIs "slice" . -}}
dyn([ {{- range $i, $item := . }}{{ if $i }}, {{ end }}{{ include "nsm.cel" $item }}{{ end -}} ])
{{- else -}}
dyn({{ toRawJson . }})
{{- end -}}
{{- end -}}
