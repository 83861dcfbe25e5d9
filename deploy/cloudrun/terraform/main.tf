# The operator as a Cloud Run job, its schedule, and service accounts with the least rights for both.

terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
  }
}

resource "google_service_account" "operator" {
  project      = var.project
  account_id   = "searchaccess-operator"
  display_name = "SearchAccess operator"
}

resource "google_service_account" "scheduler" {
  project      = var.project
  account_id   = "searchaccess-scheduler"
  display_name = "Starts the SearchAccess operator"
}

resource "google_project_iam_custom_role" "gke" {
  project     = var.gke_project
  role_id     = "searchaccessGke"
  title       = "SearchAccess operator, GKE"
  description = "Find a cluster's API server and connect to its DNS endpoint."
  permissions = ["container.clusters.get", "container.clusters.connect"]
}

resource "google_project_iam_member" "gke" {
  project = var.gke_project
  role    = google_project_iam_custom_role.gke.id
  member  = google_service_account.operator.member
}

# For resolving the service accounts of Cloud Run workloads: docs/workloads.md.
resource "google_project_iam_member" "run_viewer" {
  for_each = toset(var.workload_projects)
  project  = each.value
  role     = "roles/run.viewer"
  member   = google_service_account.operator.member
}

resource "google_project_iam_member" "account_viewer" {
  for_each = toset(var.workload_projects)
  project  = each.value
  role     = "roles/iam.serviceAccountViewer"
  member   = google_service_account.operator.member
}

resource "google_cloud_run_v2_job" "operator" {
  project             = var.project
  location            = var.region
  name                = "searchaccess"
  deletion_protection = false

  template {
    task_count  = 1
    parallelism = 1

    template {
      service_account = google_service_account.operator.email
      max_retries     = 0
      timeout         = "900s"

      containers {
        image = var.image
        args  = ["reconcile", "--once", "--log-json", "--timeout=10m"]

        env {
          name  = "SEARCHACCESS_GKE"
          value = "projects/${var.gke_project}/locations/${var.gke_location}/clusters/${var.gke_cluster}"
        }
        env {
          name  = "SEARCHACCESS_GKE_ENDPOINT"
          value = var.gke_endpoint
        }
        env {
          name  = "SEARCHACCESS_LEASE_NAMESPACE"
          value = "searchaccess-system"
        }

        resources {
          limits = {
            cpu    = "1"
            memory = "512Mi"
          }
        }
      }

      vpc_access {
        egress = "PRIVATE_RANGES_ONLY"
        network_interfaces {
          network    = var.network
          subnetwork = var.subnetwork
        }
      }
    }
  }
}

resource "google_cloud_run_v2_job_iam_member" "scheduler" {
  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_job.operator.name
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}

resource "google_cloud_scheduler_job" "operator" {
  project   = var.project
  region    = var.region
  name      = "searchaccess"
  schedule  = var.schedule
  time_zone = "Etc/UTC"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.operator.id}:run"

    oauth_token {
      service_account_email = google_service_account.scheduler.email
    }
  }
}
