"""Files for operators: ``dashboard.json`` for Grafana, ``alerts.yml`` for Prometheus."""
