"""The parts of the echo benchmark; see ../echo.py."""
