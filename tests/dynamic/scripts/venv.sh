#!/bin/bash
# A virtual environment, and pip, which is a wheel there.
python3 -m venv --without-pip env && . env/bin/activate
python -c 'import sys; print(sys.prefix != sys.base_prefix, sys.executable == sys.prefix + "/bin/python")'
ls -l env/bin/python* | awk '{print $1, $9, $10, $11}'
mkdir -p env/lib/python3.11/site-packages/own && echo 'print("imported", __name__)' > env/lib/python3.11/site-packages/own/__init__.py
python -c 'import own'
deactivate
python3 -c 'import own' 2>&1 | tail -1
python3 /usr/share/python-wheels/pip-*.whl/pip --version | cut -d' ' -f1
