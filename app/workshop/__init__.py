"""What is done with a strategy's text on behalf of /code, /check_code and /run_code: read, checked, tried
out, each in a child process that is used once.

`workshop` is the web's side; `checking`, `keeper` and `launcher` run in the children. None of them knows of
flask or green threads.
"""
