variable "project" {
  description = "Project of the job."
  type        = string
}

variable "region" {
  description = "Region of the job and of its Cloud Scheduler job."
  type        = string
}

variable "image" {
  description = "The operator's image, preferably with its digest."
  type        = string
}

variable "gke_project" {
  description = "Project of the GKE cluster."
  type        = string
}

variable "gke_location" {
  description = "Region or zone of the GKE cluster."
  type        = string
}

variable "gke_cluster" {
  description = "Name of the GKE cluster."
  type        = string
}

variable "gke_endpoint" {
  description = "Which endpoint of the cluster to use: auto, dns, public or private."
  type        = string
  default     = "auto"

  validation {
    condition     = contains(["auto", "dns", "public", "private"], var.gke_endpoint)
    error_message = "Write auto, dns, public or private."
  }
}

variable "network" {
  description = "VPC network from which Elasticsearch can be reached."
  type        = string
}

variable "subnetwork" {
  description = "Subnetwork of this network in the job's region."
  type        = string
}

variable "workload_projects" {
  description = "Projects of the Cloud Run workloads that SearchAccesses name."
  type        = list(string)
  default     = []
}

variable "schedule" {
  description = "Schedule of the job (cron, UTC)."
  type        = string
  default     = "*/5 * * * *"
}
