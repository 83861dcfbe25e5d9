{{- define "searchaccess.gateway.namespace" -}}
{{- .Values.gateway.namespace | default (include "searchaccess.namespace" .) }}
{{- end }}

{{- /* Another app.kubernetes.io/name than the operator's: no selector of either matches the other's pods. */ -}}
{{- define "searchaccess.gateway.app" -}}
{{ include "searchaccess.name" . }}-gateway
{{- end }}

{{- define "searchaccess.gateway.selector" -}}
app.kubernetes.io/name: {{ include "searchaccess.gateway.app" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
searchaccess.dev/gateway: {{ .Values.gateway.name | quote }}
{{- end }}

{{- /* Metadata of an object of the gateway. Takes root, and optionally suffix, namespace, labels and annotations. */ -}}
{{- define "searchaccess.gateway.metadata" -}}
{{- $gateway := .root.Values.gateway }}
{{- $labels := merge (dict "searchaccess.dev/gateway" $gateway.name) (.labels | default dict) }}
{{- $namespace := .namespace | default (include "searchaccess.gateway.namespace" .root) }}
{{- include "searchaccess.metadata" (dict "root" .root "name" (printf "%s%s" $gateway.name (.suffix | default "")) "namespace" $namespace "labels" $labels "annotations" .annotations "app" (include "searchaccess.gateway.app" .root)) }}
{{- end }}

{{- define "searchaccess.gateway.image" -}}
{{- with (.Values.global).imageRegistry | default .Values.gateway.image.registry }}{{ trimSuffix "/" . }}/{{ end }}
{{- with .Values.gateway.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}{{ end }}
{{- end }}

{{- define "searchaccess.gateway.certificate" -}}
{{- .Values.gateway.certificate.secretName | default (printf "%s-tls" .Values.gateway.name) }}
{{- end }}

{{- /* The operator's pods, as a NetworkPolicyPeer of the gateway's namespace. */ -}}
{{- define "searchaccess.gateway.operator" -}}
namespaceSelector:
  matchLabels: {kubernetes.io/metadata.name: {{ include "searchaccess.namespace" . | quote }}}
podSelector:
  matchLabels: {{- include "searchaccess.selector" . | nindent 4 }}
{{- end }}

{{- /* SIGTERM ends Envoy at once. Before, it has to answer every request with `connection: close`, and `/ready` with 503,
while load balancers learn that the pod is going. Its administration takes only POST, so no httpGet can do that. */ -}}
{{- define "searchaccess.gateway.lifecycle" -}}
{{- with .Values.gateway }}
{{- if .lifecycle }}
{{- toYaml .lifecycle }}
{{- else }}
{{- if ge (int .drainSeconds) (int .terminationGracePeriodSeconds) }}
{{- fail "gateway.drainSeconds must be less than gateway.terminationGracePeriodSeconds" }}
{{- end }}
preStop:
  exec:
    command:
      - bash
      - -c
      - >-
        exec 3<>/dev/tcp/127.0.0.1/9901
        && printf 'POST /healthcheck/fail HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n' >&3;
        sleep {{ int .drainSeconds }}
{{- end }}
{{- end }}
{{- end }}
