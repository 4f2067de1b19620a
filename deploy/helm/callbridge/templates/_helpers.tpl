{{- define "callbridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "callbridge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "callbridge.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "callbridge.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "callbridge.selector" -}}
app.kubernetes.io/name: {{ include "callbridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "callbridge.labels" -}}
{{ include "callbridge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}

{{- define "callbridge.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "callbridge.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "callbridge.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{- define "callbridge.rulesConfigMap" -}}
{{- if .Values.rules.existingConfigMap -}}
{{ .Values.rules.existingConfigMap }}
{{- else if .Values.rules.text -}}
{{ include "callbridge.fullname" . }}-rules
{{- end -}}
{{- end }}

{{- define "callbridge.accountsFile" -}}
{{- if .Values.accounts.existingSecret -}}
/etc/callbridge/accounts/{{ .Values.accounts.key }}
{{- else -}}
{{ .Values.accounts.path }}
{{- end -}}
{{- end }}

{{- /* Empty where recordings are in a bucket, or wherever settings.RECORDINGS_URL says. */ -}}
{{- define "callbridge.recordingsClaim" -}}
{{- if not (hasKey .Values.settings "RECORDINGS_URL") -}}
{{ .Values.recordings.existingClaim | default (printf "%s-recordings" (include "callbridge.fullname" .)) }}
{{- end -}}
{{- end }}

{{- /* Wrong values that a schema cannot tell in words that help. */ -}}
{{- define "callbridge.check" -}}
{{- $own := dict
  "HOST" "pods listen on all their addresses"
  "PORT" "pods listen on 8000; set web.service.port for the Service"
  "DATA_DIR" "it is /data, a folder of each pod"
  "DRAIN_S" "set web.drainSeconds"
  "WORKER_THREADS" "set worker.threads"
  "CALLBRIDGE_RULES" "set rules.text or rules.existingConfigMap"
  "CALLBRIDGE_ACCOUNTS" "set accounts.existingSecret or accounts.path"
  "JOURNAL_MB" "a pod's disk ends with the pod, and the webhooks kept there would be lost; use a Redis that fails over" -}}
{{- range $name, $value := merge (dict) .Values.settings .Values.secrets.keys -}}
{{- if not (regexMatch "^[A-Z][A-Z0-9_]*$" $name) }}{{ fail (printf "%s: no name of a setting; write it as in the environment, such as TIME_ZONE" $name) }}{{ end -}}
{{- end -}}
{{- range $name, $value := .Values.settings -}}
{{- if hasKey $own $name }}{{ fail (printf "settings.%s: remove it; %s" $name (get $own $name)) }}{{ end -}}
{{- if hasKey $.Values.secrets.keys $name }}{{ fail (printf "settings.%s: it is in secrets.keys, too; remove it here, or set secrets.keys.%s to null" $name $name) }}{{ end -}}
{{- if regexMatch "(_TOKENS?|_SECRETS?|_KEYS?|_KEY_ID|_PASSWORDS?|_DSN|_URLS)$|^REDIS_URL$|_FILE$" $name }}{{ fail (printf "settings.%s: it is a secret; put it into the Secret and name its key in secrets.keys" $name) }}{{ end -}}
{{- end -}}
{{- if and .Values.rules.text .Values.rules.existingConfigMap }}{{ fail "rules: set text or existingConfigMap, not both" }}{{ end -}}
{{- if and .Values.accounts.existingSecret .Values.accounts.path }}{{ fail "accounts: set existingSecret or path, not both" }}{{ end -}}
{{- if not (hasKey .Values.secrets.keys "REDIS_URL") }}{{ fail "secrets.keys.REDIS_URL: name the Secret's key with the address of Redis" }}{{ end -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}{{ fail "autoscaling: minReplicas is greater than maxReplicas" }}{{ end -}}
{{- end }}
