"""Puts command lines through az's own argument parser and validators; runs none of them.

Run with az's Python. Reads a JSON list of argument lists, without the leading `az`, from standard input and writes for
each what az has against it, or null when az would go on to run it.
"""

import json
import os
import socket
import sys

# The whole command table at once, rather than the part that one command needs.
os.environ["AZURE_AAZ_FULL_LOAD"] = "True"

from azure.cli.core import get_default_cli
from azure.cli.core.commands import _explode_list_args
from azure.cli.core.commands.events import EVENT_INVOKER_POST_LOAD_ARGUMENTS, EVENT_INVOKER_PRE_LOAD_ARGUMENTS
from azure.cli.core.parser import AzCliCommandParser
from knack.events import EVENT_INVOKER_POST_CMD_TBL_CREATE, EVENT_INVOKER_POST_PARSE_ARGS, EVENT_INVOKER_PRE_PARSE_ARGS


class Refused(Exception):
    """What az has against a command line."""


def refuse(_parser, message):
    raise Refused(message)


def check_value(_parser, action, value):
    """In place of az's own, which asks the network which extension an unknown command might come from."""
    if action.choices is not None and value not in action.choices:
        name = action.option_strings[0] if action.option_strings else "the command"
        raise Refused(f"'{value}' is not a value of {name}")


AzCliCommandParser.error = refuse
AzCliCommandParser.validation_error = refuse
AzCliCommandParser._check_value = check_value


class Network:
    """Whether a validator asked for the network: then it is past what can be known here."""

    asked = False

    @classmethod
    def refuse(cls, *_arguments, **_options):
        cls.asked = True
        raise OSError("no network here")


socket.getaddrinfo = Network.refuse
socket.socket.connect = Network.refuse


class Az:
    """One az, with each group's command table and each command's parser made once."""

    def __init__(self):
        self.cli = get_default_cli()
        self.tables = {}
        self.ready = {}

    def invocation(self):
        cli = self.cli
        cli.invocation = cli.invocation_cls(
            cli_ctx=cli,
            parser_cls=cli.parser_cls,
            commands_loader_cls=cli.commands_loader_cls,
            help_cls=cli.help_cls,
        )
        return cli.invocation

    def table(self, group):
        if group not in self.tables:
            loader = self.invocation().commands_loader
            loader.load_command_table([group])
            self.tables[group] = (loader, dict(loader.command_table))
        return self.tables[group]

    def prepared(self, command):
        """The command's parser, made in az's own steps; None for a command that az does not know."""
        if command not in self.ready:
            loader, table = self.table(command.split()[0])
            if command not in table:
                return None
            invocation = self.invocation()
            invocation.commands_loader = loader
            loader.command_table = {command: table[command]}
            loader.command_name = command
            invocation.data["command_string"] = command
            self.cli.raise_event(EVENT_INVOKER_PRE_LOAD_ARGUMENTS, commands_loader=loader)
            loader.load_arguments(command)
            self.cli.raise_event(EVENT_INVOKER_POST_LOAD_ARGUMENTS, commands_loader=loader)
            self.cli.raise_event(EVENT_INVOKER_POST_CMD_TBL_CREATE, commands_loader=loader)
            invocation.parser.cli_ctx = self.cli
            invocation.parser.load_command_table(loader)
            self.ready[command] = invocation
        self.cli.invocation = self.ready[command]
        return self.ready[command]

    def objection(self, arguments):
        """What az has against the arguments."""
        words = []
        for argument in arguments:
            if argument.startswith("-"):
                break
            words.append(argument)
        command = " ".join(words)
        invocation = self.prepared(command) if command else None
        if invocation is None:
            return f"unknown command: {command}"
        Network.asked = False
        try:
            self.cli.raise_event(EVENT_INVOKER_PRE_PARSE_ARGS, args=arguments)
            parsed = invocation.parser.parse_args(arguments)
            self.cli.raise_event(EVENT_INVOKER_POST_PARSE_ARGS, command=parsed.command, args=parsed)
            for one in _explode_list_args(parsed):
                one.cmd = one._cmd = parsed.func
                invocation._validation(one)
        except SystemExit as left:
            return f"az leaves with {left.code}"
        except Exception as error:  # noqa: BLE001: whatever az raises is what it has against the command
            return None if Network.asked else str(error)
        return None


if __name__ == "__main__":
    az = Az()
    answers = [az.objection(arguments) for arguments in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)
