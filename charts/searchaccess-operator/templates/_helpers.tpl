{{- define "searchaccess.name" -}}
{{- $missing := list }}
{{- range list "commonLabels" "commonAnnotations" "image" "metrics" }}
{{- if not (hasKey $.Values .) }}{{ $missing = append $missing . }}{{ end }}
{{- end }}
{{- with $missing }}
{{- fail (printf "the values lack %s: where you set it to null, leave it out, or give it an empty value ({}); where these are the values of an earlier version, without the defaults of this one, upgrade with --reset-then-reuse-values in place of --reuse-values" (join ", " .)) }}
{{- end }}
{{- .Values.nameOverride | default .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- /* Name of all objects and of the ServiceAccount. A release named "searchaccess" gets the name that deploy/ and the docs
use: searchaccess-operator. */ -}}
{{- define "searchaccess.fullname" -}}
{{- $name := include "searchaccess.name" . }}
{{- $full := printf "%s-%s" .Release.Name $name }}
{{- if contains $name .Release.Name }}{{ $full = .Release.Name }}{{ end }}
{{- if hasPrefix (printf "%s-" .Release.Name) $name }}{{ $full = $name }}{{ end }}
{{- .Values.fullnameOverride | default $full | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "searchaccess.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{- define "searchaccess.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "searchaccess.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "searchaccess.selector" -}}
app.kubernetes.io/name: {{ include "searchaccess.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* Labels of an object. Takes root, labels (its own), and app: another app.kubernetes.io/name, for objects that the
selector must not match. The standard labels take precedence. */ -}}
{{- define "searchaccess.labels" -}}
{{- $root := .root }}
{{- $labels := include "searchaccess.selector" $root | fromYaml }}
{{- with .app }}{{ $_ := set $labels "app.kubernetes.io/name" . }}{{ end }}
{{- $_ := set $labels "app.kubernetes.io/version" $root.Chart.AppVersion }}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") }}
{{- toYaml (merge $labels (.labels | default dict) $root.Values.commonLabels) }}
{{- end }}

{{- /* Metadata of an object. Takes root, name, and optionally namespace, labels, annotations and app (see labels). */ -}}
{{- define "searchaccess.metadata" -}}
{{- with .name -}}
name: {{ . | quote }}
{{ end -}}
{{- with .namespace -}}
namespace: {{ . | quote }}
{{ end -}}
labels: {{- include "searchaccess.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "searchaccess.image" -}}
{{- $registry := (.Values.global).imageRegistry | default .Values.image.registry }}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end }}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{- /* Secrets for pulling images, of all charts and of this one; each is an object with a name, or the name itself. */ -}}
{{- define "searchaccess.pullSecrets" -}}
{{- $names := list }}
{{- range concat ((.Values.global).imagePullSecrets | default list) .Values.imagePullSecrets }}
{{- $names = append $names (ternary . (get (ternary (dict) . (kindIs "string" .)) "name") (kindIs "string" .)) }}
{{- end }}
{{- with uniq $names -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Common parts of all pods. */ -}}
{{- define "searchaccess.pod" -}}
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with include "searchaccess.pullSecrets" . }}
{{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Whether SearchClusters are in a ConfigMap, as no right reaches beyond namespaces; empty: they are objects. */ -}}
{{- define "searchaccess.filed" -}}
{{- if and .Values.watchNamespaces (not .Values.rbac.searchClusters) }}true{{ end }}
{{- end }}

{{- /* Name of the ValidatingWebhookConfiguration, and of the Secret with its certificate. Installations for some
namespaces may have the same name in different namespaces. */ -}}
{{- define "searchaccess.webhook" -}}
{{- if .Values.watchNamespaces }}{{ include "searchaccess.namespace" . }}-{{ end }}{{ include "searchaccess.fullname" . }}-admission
{{- end }}

{{- /* Binds a Role of the release to the operator. Takes name, namespace and the root. */ -}}
{{- define "searchaccess.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{- include "searchaccess.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ include "searchaccess.serviceAccount" .root | quote }}
    namespace: {{ include "searchaccess.namespace" .root | quote }}
{{- end }}

{{- /* No Service, PodDisruptionBudget or NetworkPolicy of the operator may match the pods of `helm test`. */ -}}
{{- define "searchaccess.testName" -}}
{{ include "searchaccess.name" . }}-test
{{- end }}

{{- define "searchaccess.testSelector" -}}
app.kubernetes.io/name: {{ include "searchaccess.testName" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* Affinity of pods: their own, and by default anti-affinity over nodes and zones. Takes root, affinity, and the
selector of the pods. */ -}}
{{- define "searchaccess.affinity" -}}
{{- $root := .root }}
{{- $affinity := deepCopy (.affinity | default dict) }}
{{- if not (hasKey $affinity "podAntiAffinity") }}
{{- $selector := .selector | fromYaml }}
{{- $terms := list }}
{{- range $key, $weight := dict "kubernetes.io/hostname" 100 "topology.kubernetes.io/zone" 50 }}
{{- $term := dict "topologyKey" $key "labelSelector" (dict "matchLabels" $selector) }}
{{- /* Older API servers drop the field, and GitOps tools would report a permanent difference. */ -}}
{{- if semverCompare ">=1.31-0" $root.Capabilities.KubeVersion.Version }}
{{- $_ := set $term "matchLabelKeys" (list "pod-template-hash") }}
{{- end }}
{{- $terms = append $terms (dict "weight" $weight "podAffinityTerm" $term) }}
{{- end }}
{{- $_ := set $affinity "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" $terms) }}
{{- end }}
{{- toYaml $affinity }}
{{- end }}

{{- /* How replicas are spread by default. Takes the selector of the pods. No additional constraint on zones: the scheduler
ignores nodes that lack the key of any constraint, so nodes without zone labels would not count. Affinity, which ignores
missing labels, spreads over zones. */ -}}
{{- define "searchaccess.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- . | nindent 6 }}
  # Only pods of the same version: pods that a rollout replaces do not count.
  matchLabelKeys: [pod-template-hash]
{{- end }}
