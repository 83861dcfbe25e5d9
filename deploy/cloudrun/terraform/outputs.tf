output "operator_email" {
  description = "The service account to name in deploy/cloudrun/rbac.yaml."
  value       = google_service_account.operator.email
}
