output "operator_email" {
  description = "The account that RBAC in the cluster is written for (deploy/cloudrun/rbac.yaml)."
  value       = google_service_account.operator.email
}
