try:
    from netlab.cli.main import main

    code = main()
except KeyboardInterrupt:  # before the command began, or while it ended
    code = 130
raise SystemExit(code)
