"""An auth manager with a DAG that one user may not see: Airflow's simple one knows no rights of single DAGs."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

HIDDEN = {"viewer": {"payroll_secret"}}


class RestrictedAuthManager(SimpleAuthManager):
    """Hides DAGs from some users."""

    def is_authorized_dag(self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        if details is not None and details.id in HIDDEN.get(user.get_name(), ()):
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
