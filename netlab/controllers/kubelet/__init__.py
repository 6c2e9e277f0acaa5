"""The kubelet: runs the pods of a node and says how they are."""

from netlab.controllers.kubelet.controller import Kubelet, kubelets
from netlab.controllers.kubelet.doors import LabNetwork

__all__ = ["Kubelet", "LabNetwork", "kubelets"]
