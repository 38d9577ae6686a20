{{- /* What a Job's pod is made of (a PodTemplateSpec), but for its arguments, which its controller adds: (dict "root" $ "component" "collector"). */ -}}
{{- define "nsm.job" -}}
metadata:
  labels:
    {{- with .root.Values.pods.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- include "nsm.labels" . | nindent 4 }}
  {{- with .root.Values.pods.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "nsm.pod" . | nindent 2 }}
  restartPolicy: Never
  containers:
    {{- include "nsm.jobContainer" . | nindent 4 }}
  volumes:
    {{- include "nsm.volumes" . | nindent 4 }}
{{- end -}}

{{- define "nsm.jobContainer" -}}
- name: {{ .component }}
  image: {{ include "nsm.image" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [/usr/local/bin/{{ .component }}]
  env:
    {{- include "nsm.env" . | nindent 4 }}
  ports:
    - {name: admin, containerPort: 9180, protocol: TCP}
  resources:
    {{- toYaml (index .root.Values .component).resources | nindent 4 }}
  securityContext:
    {{- include "nsm.containerSecurity" . | nindent 4 }}
  volumeMounts:
    {{- include "nsm.mounts" . | nindent 4 }}
{{- end -}}
