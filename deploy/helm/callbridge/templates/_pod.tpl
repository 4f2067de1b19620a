{{- /*
What the pods of all three kinds have in common: dict "root" $, "kind" "web", "own" .Values.web,
"grace" seconds, "container" YAML of what only this kind has.
*/ -}}
{{- define "callbridge.pod" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
metadata:
  labels:
    {{- include "callbridge.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .own.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  serviceAccountName: {{ include "callbridge.serviceAccount" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .grace }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: {{ .kind }}
      image: {{ include "callbridge.image" $root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: [{{ .kind }}]
      {{- include "callbridge.container" $root | nindent 6 }}
      {{- with .container }}
      {{- . | nindent 6 }}
      {{- end }}
      resources:
        {{- toYaml .own.resources | nindent 8 }}
  volumes:
    {{- include "callbridge.volumes" $root | nindent 4 }}
  {{- with .own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if .own.topologySpreadConstraints }}
    {{- toYaml .own.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "callbridge.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ $.kind }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
    {{- end }}
{{- end }}

{{- /* Of the processes and of the release check. */ -}}
{{- define "callbridge.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
env:
  - {name: HOST, value: "0.0.0.0"}
  - {name: PORT, value: "8000"}
  - {name: DATA_DIR, value: /data}
  {{- if not (hasKey .Values.settings "LOG_FORMAT") }}
  - {name: LOG_FORMAT, value: json}
  {{- end }}
  - {name: DRAIN_S, value: {{ .Values.web.drainSeconds | quote }}}
  - {name: WORKER_THREADS, value: {{ .Values.worker.threads | quote }}}
  {{- if include "callbridge.recordingsClaim" . }}
  - {name: RECORDINGS_URL, value: "file:/recordings"}
  {{- end }}
  {{- if include "callbridge.rulesConfigMap" . }}
  - {name: CALLBRIDGE_RULES, value: {{ printf "/etc/callbridge/rules/%s" .Values.rules.key | quote }}}
  {{- end }}
  {{- with include "callbridge.accountsFile" . }}
  - {name: CALLBRIDGE_ACCOUNTS, value: {{ . | quote }}}
  {{- end }}
  {{- range $name, $key := .Values.secrets.keys }}
  - {name: {{ $name }}_FILE, value: {{ printf "/etc/callbridge/secrets/%s" $key | quote }}}
  {{- end }}
  {{- range $name, $value := .Values.settings }}
  - name: {{ $name }}
    value: {{ include "callbridge.text" $value | quote }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: tmp, mountPath: /tmp}
  - {name: secrets, mountPath: /etc/callbridge/secrets, readOnly: true}
  {{- if include "callbridge.recordingsClaim" . }}
  - {name: recordings, mountPath: /recordings}
  {{- end }}
  {{- if include "callbridge.rulesConfigMap" . }}
  - {name: rules, mountPath: /etc/callbridge/rules, readOnly: true}
  {{- end }}
  {{- if .Values.accounts.existingSecret }}
  - {name: accounts, mountPath: /etc/callbridge/accounts, readOnly: true}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Helm reads whole numbers as floating ones: 1000000 would be 1e+06. */ -}}
{{- define "callbridge.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end }}

{{- define "callbridge.volumes" -}}
- name: data
  emptyDir: {sizeLimit: 2Gi}
- name: tmp
  emptyDir: {sizeLimit: 2Gi}
- name: secrets
  secret:
    secretName: {{ .Values.secrets.existingSecret }}
    defaultMode: 0440
{{- with include "callbridge.recordingsClaim" . }}
- name: recordings
  persistentVolumeClaim:
    claimName: {{ . }}
{{- end }}
{{- with include "callbridge.rulesConfigMap" . }}
- name: rules
  configMap:
    name: {{ . }}
{{- end }}
{{- with .Values.accounts.existingSecret }}
- name: accounts
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
