# SPDX-License-Identifier: MIT
"""Records of a guest that runs at speed: registers and memory wherever it executes an instruction of given addresses.

A plugin of QEMU's translator (TCG) writes them; the guest is never stopped. It knows nothing of BPF.
"""

from hil.recorder.build import ARCHITECTURES, NoRecorder, interface_of, plugin
from hil.recorder.control import Group, Place, Record, Recorder, Window

__all__ = ["ARCHITECTURES", "Group", "NoRecorder", "Place", "Record", "Recorder", "Window", "interface_of", "plugin"]
